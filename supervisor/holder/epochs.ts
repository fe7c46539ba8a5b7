import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HolderLog } from "./holder-log.ts";
import { describeCause } from "./start-failure.ts";

/**
 * Numbers the starts of control, rising over restarts of the holder too (`<state>/epoch`): a route table that an
 * earlier control left behind must never win over a newer one's. Owns: the file.
 */
export class Epochs {
  readonly #path: string;
  readonly #log: HolderLog;
  #current: number;

  constructor(state: string, log: HolderLog) {
    this.#path = join(state, "epoch");
    this.#log = log;
    this.#current = readNumber(this.#path);
  }

  /** Of the control that runs or starts next; 0 before the first. */
  get current(): number {
    return this.#current;
  }

  next(): number {
    this.#current += 1;
    try {
      writeFileSync(`${this.#path}.new`, `${this.#current}\n`);
      renameSync(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#log.warn("cannot record the epoch of control", { error: describeCause(error) });
    }
    return this.#current;
  }
}

function readNumber(path: string): number {
  try {
    return Number.parseInt(readFileSync(path, "utf8"), 10) || 0;
  } catch {
    return 0; // the first start on this state folder
  }
}
