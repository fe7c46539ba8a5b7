import { HostError, isHostError } from "bulkhead/plugin";

/** Milliseconds without an answer after which a snapshotter counts as hanging. */
const patienceMs = 10_000;

/** Says that some snapshotter hangs, or (empty) that none does any more. */
export type TellHanging = (text: string) => void;

interface OpenCall {
  readonly snapshotter: string;
  readonly method: string;
  readonly sinceMs: number;
}

/** A call that is being watched, until disposed of. */
export interface WatchedCall extends Disposable {
  /** An error of the call with the snapshotter's name where it tells of its absence. */
  failure(error: unknown): unknown;
}

/** Watches calls to snapshotters, so that one that hangs shows in status. Owns: its timer. */
export class CallWatch implements Disposable {
  readonly #tell: TellHanging;
  readonly #patienceMs: number;
  readonly #open = new Set<OpenCall>();
  #timer: NodeJS.Timeout | undefined;
  #told = "";

  constructor(tell: TellHanging, patience: number = patienceMs) {
    this.#tell = tell;
    this.#patienceMs = patience;
  }

  begin(snapshotter: string, method: string): WatchedCall {
    const call: OpenCall = { snapshotter, method, sinceMs: performance.now() };
    this.#open.add(call);
    this.#arm();
    return {
      failure: (error) => named(snapshotter, method, error),
      [Symbol.dispose]: () => {
        this.#open.delete(call);
        if (this.#told !== "") this.#look();
      },
    };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  /** Looks when the oldest call would be over its time. */
  #arm(): void {
    if (this.#timer !== undefined) return;
    const oldest = this.#open.values().next().value;
    if (oldest === undefined) return;
    const leftMs = Math.max(oldest.sinceMs + this.#patienceMs - performance.now(), this.#patienceMs / 10);
    this.#timer = setTimeout(() => this.#look(), leftMs);
    this.#timer.unref();
  }

  #look(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const overdue = performance.now() - this.#patienceMs;
    const hanging = [...this.#open].filter(({ sinceMs }) => sinceMs <= overdue);
    const text = [...new Set(hanging.map(({ snapshotter, method }) => `${method} of snapshotter ${snapshotter}`))];
    const told = text.length === 0 ? "" : `no answer for ${this.#patienceMs / 1000} s: ${text.sort().join(", ")}`;
    if (told !== this.#told) this.#tell(told);
    this.#told = told;
    this.#arm();
  }
}

function named(snapshotter: string, method: string, error: unknown): unknown {
  if (!isHostError(error, "unavailable")) return error;
  const text = `${method} of snapshotter ${snapshotter}: ${error.message}`;
  return new HostError("unavailable", text, { cause: error });
}
