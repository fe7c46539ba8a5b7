/** What the exit status of `bulkhead` means. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  /** The command line is wrong; nothing was tried. */
  usage: 2,
  /** The config is wrong (sysexits.h EX_CONFIG). */
  config: 78,
} as const;

/** Ends the command with a text for the person and an exit status. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: number;

  /** `message`: what was attempted, on what, why it failed, what to do; one line. */
  constructor(message: string, exitCode: number = exitCodes.failure, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
