import type { Log, Peers } from "bulkhead/plugin";
import type { Intent } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { nanosOf, timestampNow } from "#proto/wire/timestamp.ts";
import type { ContentParts } from "./begin.ts";
import { expiryNanos } from "./ingests.ts";
import { commitOf, dropCommit, findCommit, finishCommit, listCommits } from "./commits.ts";

/** How long the store may take to say how far a commit came. */
const askDeadlineMs = 30_000;

/** What became of a commit: visible, still possible, or undone. */
export type Settlement = "finished" | "open" | "dropped";

export interface SettleOptions {
  /** Nobody will commit this ingest any more under this intent: undo it where the ingest is still there. */
  readonly undo: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Settles a commit of unknown outcome by asking the store: the blob is there, finish; only the ingest, it is still
 * possible; neither, drop. The ingest is asked for first, so that a commit in between is seen as a blob.
 * Throws what the store answers; the intent then stays.
 */
export async function settleCommit(parts: ContentParts, intent: Intent, options: SettleOptions): Promise<Settlement> {
  const { database, backEnd } = parts;
  const { storeRef, digest } = commitOf(intent);
  const call = {
    namespace: intent.namespace,
    signal: options.signal ?? AbortSignal.timeout(askDeadlineMs),
    deadlineMs: Date.now() + askDeadlineMs,
  };
  const ingest = await backEnd.findStatus(storeRef, call);
  const blob = await backEnd.info(digest, call);
  if (blob !== undefined) {
    await database.write((tx) => finishCommit(tx, intent));
    return "finished";
  }
  if (ingest !== undefined && !options.undo) return "open";
  await database.write((tx) => dropCommit(tx, intent));
  return "dropped";
}

/**
 * Settles what an earlier stream left of a commit of this ingest, before another one is prepared: there is one writer
 * of an ingest, so nobody is at it any more.
 */
export async function settleEarlier(
  parts: ContentParts,
  { namespace, ref }: { readonly namespace: string; readonly ref: string },
): Promise<void> {
  const earlier = findCommit(parts.database, namespace, ref);
  if (earlier !== undefined) await settleCommit(parts, earlier, { undo: true });
}

/**
 * Settles what earlier processes left open: at start, and whenever the store's process is a new one.
 * Owns: the run that is going on.
 */
export class Settler implements AsyncDisposable {
  readonly #parts: ContentParts;
  readonly #log: Log;
  readonly #stop = new AbortController();
  #generation: bigint | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: ContentParts, log: Log) {
    this.#parts = parts;
    this.#log = log;
  }

  /** Begins now and follows the peers. */
  start(peers: Peers): void {
    const look = (): void => {
      const { generation } = this.#parts.backEnd;
      if (generation === undefined || generation === this.#generation) return;
      this.#generation = generation;
      this.#running = this.#running.then(() => this.#settleAll());
    };
    peers.watch(look, this.#stop.signal);
    look();
  }

  /** Undoes what nobody has come back to for as long as an upload is kept. */
  async settleStale(): Promise<void> {
    await this.#running;
    await this.#settleEach(listCommits(this.#parts.database).filter(isStale), true);
  }

  /** Resolves when what was open at the last start or change has been asked for. */
  get settled(): Promise<void> {
    return this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new HostError("canceled", "the package is stopping"));
    await this.#running;
  }

  async #settleAll(): Promise<void> {
    await this.#settleEach(listCommits(this.#parts.database), false);
  }

  async #settleEach(intents: readonly Intent[], undo: boolean): Promise<void> {
    const { signal } = this.#stop;
    for (const intent of intents) {
      if (signal.aborted) return;
      const { sequence, namespace } = intent;
      try {
        const settlement = await settleCommit(this.#parts, intent, { undo, signal });
        this.#log.info("intent settled", { sequence: String(sequence), namespace, settlement });
      } catch (error) {
        if (signal.aborted) return;
        this.#log.warn("intent not settled", { sequence: String(sequence), namespace, error: String(error) });
      }
    }
  }
}

function isStale({ createdAt }: Intent): boolean {
  return createdAt !== undefined && nanosOf(timestampNow()) - nanosOf(createdAt) > expiryNanos;
}
