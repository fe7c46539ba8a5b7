import { createHash } from "node:crypto";

/** Lines kept for the report of a seed that fails. */
const keptLines = 400;

/** All that happened, as one hash: two runs of a seed must give the same. */
export class Trace {
  readonly #hash = createHash("sha256");
  readonly #lines: string[] = [];
  readonly #now: () => number;
  length = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(text: string): void {
    const line = `${this.#now().toFixed(3)} ${text}`;
    this.#hash.update(`${line}\n`);
    this.length++;
    this.#lines.push(line);
    if (this.#lines.length > 2 * keptLines) this.#lines.splice(0, keptLines);
  }

  /** The last lines, oldest first. */
  get last(): readonly string[] {
    return this.#lines.slice(-keptLines);
  }

  /** To be asked once. */
  digest(): string {
    return this.#hash.digest("hex");
  }
}
