/** What the daemon does on request of a signal. */
export interface SignalActions {
  /** SIGTERM or SIGINT; called again for each. */
  stop(signal: string): void;
  /** SIGUSR1. */
  dump(): void;
}

/**
 * Takes the daemon's signals from the moment it is made: what comes before `attach` is remembered. SIGHUP and SIGPIPE
 * never end it. Owns: the handlers, for the life of the process.
 */
export class Signals {
  readonly #early: string[] = [];
  #actions: SignalActions | undefined;

  constructor() {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => this.#stop(signal));
    process.on("SIGUSR1", () => this.#actions?.dump());
    for (const ignored of ["SIGHUP", "SIGPIPE"] as const) process.on(ignored, () => {});
  }

  /** Whether a stop has been asked for already. */
  get stopRequested(): boolean {
    return this.#early.length > 0;
  }

  /** Acts on signals from now on, and on those that came earlier. */
  attach(actions: SignalActions): void {
    this.#actions = actions;
    for (const signal of this.#early.splice(0)) actions.stop(signal);
  }

  #stop(signal: string): void {
    if (this.#actions === undefined) this.#early.push(signal);
    else this.#actions.stop(signal);
  }
}
