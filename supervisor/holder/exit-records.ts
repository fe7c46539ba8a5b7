import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants } from "node:os";

/** Bytes the file may have; then only its newer half is kept. */
const limitBytes = 1024 * 1024;

/** How a process ended that nobody but the holder could wait for. */
export interface ExitRecord {
  readonly pid: number;
  /** Clock ticks after boot, field 22 of /proc/<pid>/stat. */
  readonly startTime: string;
  /** 0 to 255; undefined: a signal killed it. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

/** `<state>/exits`: one line `pid starttime status` an end, oldest first; status is a code, or a signal's name. */
export class ExitRecords {
  readonly #path: string;

  constructor(state: string) {
    this.#path = join(state, "exits");
  }

  /** Throws what the file system says. */
  append(record: ExitRecord): void {
    appendFileSync(this.#path, `${record.pid} ${record.startTime} ${record.code ?? record.signal}\n`, { mode: 0o600 });
    if (statSync(this.#path).size > limitBytes) this.#shorten();
  }

  /** How a process ended; undefined: it is not known (any more). The newest line wins. */
  find(pid: number, startTime: string): ExitRecord | undefined {
    const start = `${pid} ${startTime} `;
    const line = this.#read()
      .split("\n")
      .findLast((candidate) => candidate.startsWith(start));
    if (line === undefined) return undefined;
    const status = line.slice(start.length);
    if (/^\d+$/.test(status)) return { pid, startTime, code: Number(status), signal: undefined };
    return { pid, startTime, code: undefined, signal: status as NodeJS.Signals };
  }

  #read(): string {
    try {
      return readFileSync(this.#path, "utf8");
    } catch {
      return ""; // none has ended yet
    }
  }

  #shorten(): void {
    const text = this.#read();
    const kept = text.slice(text.indexOf("\n", text.length - limitBytes / 2) + 1);
    writeFileSync(`${this.#path}.new`, kept, { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
  }
}

/** Name of a signal's number, like "SIGKILL"; "SIG<number>" for a real-time one. */
export function signalName(number: number): NodeJS.Signals {
  const named = Object.entries(constants.signals).find(([, value]) => value === number);
  return (named?.[0] ?? `SIG${number}`) as NodeJS.Signals;
}
