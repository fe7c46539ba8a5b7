import type { Intent } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import type { OpenIntents } from "./open-intents.ts";
import type { SnapshotScope } from "./snapshots.ts";

/**
 * Operations that this process is at, by the number of their intent. An open intent that is not among them was left
 * by a crash, or by an answer that never came.
 */
export class Flights {
  readonly #ends = new Map<bigint, PromiseWithResolvers<void>>();

  /** From inside the transaction that stores the intent, so that nobody sees one without the other. */
  begin({ sequence }: Intent): void {
    this.#ends.set(sequence, Promise.withResolvers());
  }

  end({ sequence }: Intent): void {
    this.#ends.get(sequence)?.resolve();
    this.#ends.delete(sequence);
  }

  /** Operations going on. */
  get size(): number {
    return this.#ends.size;
  }

  has({ sequence }: Intent): boolean {
    return this.#ends.has(sequence);
  }

  /** Waits until nothing here is at this snapshot; rejects when `signal` aborts. */
  async landed(intents: OpenIntents, scope: SnapshotScope, name: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const [first] = intents.touching(scope, name).filter((intent) => this.has(intent));
      if (first === undefined) return;
      await raced(this.#ends.get(first.sequence)?.promise, signal);
    }
  }
}

async function raced(promise: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const refuse = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", refuse, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", refuse);
  }
}
