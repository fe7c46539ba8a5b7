import { appendFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { nanosOf, timestampFromNanos } from "#proto/wire/timestamp.ts";
import type { Log } from "bulkhead/plugin";
import type { ProcessExit } from "../process-exit.ts";

/** Whose exit it was. */
export interface ProcessName {
  readonly namespace: string;
  readonly id: string;
  /** Empty: the task's first process. */
  readonly execId: string;
}

type Tombstone = ProcessName & ProcessExit;

interface Entry {
  readonly tombstone: Tombstone;
  readonly addedAtMs: number;
}

/** A line of the file. */
interface Line extends ProcessName {
  readonly pid: number;
  readonly exitStatus: number;
  /** Nanoseconds since the epoch. */
  readonly exitedAt: string;
  readonly addedAtMs: number;
}

/** How long somebody may still ask: longer than calls wait for a package that is away. */
const keptMs = 60_000;
/** Exits kept, at most; the file has twice as many lines, at most. */
const countLimit = 4096;

/**
 * How processes ended that are deleted by now, on disk. A Wait that was in flight when this package died is asked again
 * at the next generation, and by then another client may have deleted the task: the answer is here. Only what an earlier
 * generation has written answers: for a client of this one a deleted task is not found. Owns: its file.
 */
export class Tombstones {
  readonly #file: string;
  readonly #log: Log;
  readonly #nowMs: () => number;
  /** Of earlier generations, by name. */
  readonly #earlier: ReadonlyMap<string, Entry>;
  #written: Entry[] = [];
  #lines = 0;

  constructor(file: string, log: Log, nowMs: () => number = Date.now) {
    this.#file = file;
    this.#log = log;
    this.#nowMs = nowMs;
    this.#earlier = new Map(this.#read().map((entry) => [keyOf(entry.tombstone), entry]));
    this.#written = [...this.#earlier.values()];
    this.#rewrite();
  }

  /** Writes it down. A file that cannot be written costs only the waits of a restart. */
  add(tombstone: Tombstone): void {
    const entry = { tombstone, addedAtMs: this.#nowMs() };
    this.#written.push(entry);
    if (this.#lines >= 2 * countLimit) return this.#rewrite();
    this.#attempt(() => appendFileSync(this.#file, lineOf(entry), { mode: 0o600 }));
    this.#lines++;
  }

  /** How a process ended that a generation before this one has deleted, while calls of that time may still come. */
  ofEarlier(name: ProcessName): ProcessExit | undefined {
    const entry = this.#earlier.get(keyOf(name));
    return entry !== undefined && this.#isFresh(entry) ? entry.tombstone : undefined;
  }

  /** Whether an earlier generation has deleted a task with this first process, however long ago. */
  isDeleted(namespace: string, id: string, pid: number): boolean {
    return this.#earlier.get(keyOf({ namespace, id, execId: "" }))?.tombstone.pid === pid;
  }

  #read(): Entry[] {
    try {
      const lines = readFileSync(this.#file, "utf8").split("\n");
      return lines.flatMap((line) => entryOf(line) ?? []);
    } catch {
      return [];
    }
  }

  #rewrite(): void {
    this.#written = this.#written.filter((entry) => this.#isFresh(entry)).slice(-countLimit);
    this.#lines = this.#written.length;
    this.#attempt(() => {
      writeFileSync(`${this.#file}.new`, this.#written.map(lineOf).join(""), { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
    });
  }

  #isFresh({ addedAtMs }: Entry): boolean {
    return Math.abs(this.#nowMs() - addedAtMs) < keptMs;
  }

  #attempt(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#log.warn("exits not written down", { error: String(error) });
    }
  }
}

function keyOf({ namespace, id, execId }: ProcessName): string {
  return `${namespace}/${id}/${execId}`;
}

function lineOf({ tombstone, addedAtMs }: Entry): string {
  const { namespace, id, execId, pid, exitStatus, exitedAt } = tombstone;
  const line: Line = { namespace, id, execId, pid, exitStatus, exitedAt: String(nanosOf(exitedAt)), addedAtMs };
  return `${JSON.stringify(line)}\n`;
}

/** Undefined: the line was cut off. */
function entryOf(text: string): Entry | undefined {
  try {
    const { namespace, id, execId, pid, exitStatus, exitedAt, addedAtMs } = JSON.parse(text) as Line;
    const tombstone = { namespace, id, execId, pid, exitStatus, exitedAt: timestampFromNanos(BigInt(exitedAt)) };
    return { tombstone, addedAtMs };
  } catch {
    return undefined;
  }
}
