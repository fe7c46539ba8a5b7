import { closeSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isLinuxError, onceReady, openPid, signalPidfd } from "#linux";
import { identifyProcess, isSameProcess, type ProcessIdentity } from "../process/process-identity.ts";
import type { HolderLog } from "./holder-log.ts";
import { describeCause } from "./start-failure.ts";

/** What an earlier control may take to notice that its holder has died, milliseconds. */
const goneWithinMs = 5000;

type Records = Readonly<Partial<Record<"router" | "control", ProcessIdentity>>>;

/**
 * `<state>/parts.json`: the processes a holder that dies leaves behind. The router serves on and is taken over by the
 * next holder. Control ends by itself, but until it has, it works on the same folders as the next one. Owns: the file.
 */
export class PartRecords {
  readonly #path: string;
  readonly #log: HolderLog;
  readonly #left: Records;
  #present: Records = {};

  constructor(state: string, log: HolderLog) {
    this.#path = join(state, "parts.json");
    this.#log = log;
    this.#left = readRecords(this.#path);
  }

  /** Notes a part that was started. Failure is only logged. */
  write(part: "router" | "control", pid: number | undefined): void {
    const identity = pid === undefined ? undefined : identifyProcess(pid);
    if (identity === undefined) return;
    this.#present = { ...this.#present, [part]: identity };
    try {
      writeFileSync(this.#path, `${JSON.stringify(this.#present)}\n`, { mode: 0o600 });
    } catch (error) {
      this.#log.warn("cannot record the holder's parts", { error: describeCause(error) });
    }
  }

  /** What an earlier holder started; it need not run any more. */
  get left(): Records {
    return this.#left;
  }

  /** Resolves when the control of an earlier holder runs no more; killed when it does not end in time. Never rejects. */
  async awaitLeftControl(): Promise<void> {
    const { control } = this.#left;
    if (control !== undefined && isSameProcess(control)) await this.#awaitEnd(control);
  }

  async #awaitEnd({ pid }: ProcessIdentity): Promise<void> {
    this.#log.info("waiting for a process of the last daemon to end", { pid });
    let pidfd: number;
    try {
      pidfd = openPid(pid);
    } catch (error) {
      if (!isLinuxError(error, "ESRCH")) this.#log.warn("cannot watch it", { pid, error: describeCause(error) });
      return;
    }
    const timer = setTimeout(() => {
      this.#log.warn("it did not end in time, killing it", { pid });
      signalPidfd(pidfd, "SIGKILL");
    }, goneWithinMs);
    await new Promise<void>((resolve) => onceReady(pidfd, "readable", resolve));
    clearTimeout(timer);
    closeSync(pidfd);
  }
}

function readRecords(path: string): Records {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Records;
  } catch {
    return {}; // no holder has died here, or it could not write
  }
}
