import { HostError, type Log, type Peers } from "bulkhead/plugin";
import type { Intent } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { nanosOf } from "#proto/wire/timestamp.ts";
import { listIntents, scopeOf } from "./intents.ts";
import type { SnapshotParts } from "./parts.ts";
import { defaultLimits, snapshotterType } from "./peers.ts";
import { settleIntent } from "./settlement.ts";

interface Look {
  /** The process that was asked is dead, and what it has not done it will not do. */
  readonly isNew: boolean;
  /** Leaves alone what someone may still be at. */
  readonly onlyStale: boolean;
}

/**
 * Settles what earlier processes, ours or a snapshotter's, left open: at start, and whenever a snapshotter's process
 * is a new one, each snapshotter on its own. What it holds is looked through at the next collection then. Owns: the runs that are going on.
 */
export class SnapshotSettler implements AsyncDisposable {
  readonly #parts: SnapshotParts;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #generations = new Map<string, bigint>();
  readonly #running = new Map<string, Promise<void>>();

  constructor(parts: SnapshotParts, log: Log) {
    this.#parts = parts;
    this.#log = log;
  }

  /** Begins now and follows the peers. */
  start(peers: Peers): void {
    const look = (): void => {
      for (const { id, state, generation } of peers.find(snapshotterType)) {
        const isUp = state === "ready" || state === "on-demand";
        if (!isUp || this.#generations.get(id) === generation) continue;
        const wasHere = this.#generations.has(id);
        this.#generations.set(id, generation);
        this.#parts.doubts.add(id);
        const before = this.#running.get(id) ?? Promise.resolve();
        this.#running.set(
          id,
          before.then(() => this.#settleAll(id, { isNew: wasHere, onlyStale: false })),
        );
      }
    };
    peers.watch(look, this.#stop.signal);
    look();
  }

  /** Undoes what nobody can be at any more, though the snapshotter's process is the same. */
  async settleStale(): Promise<void> {
    await this.settled();
    await Promise.all(
      Array.from(this.#generations.keys(), (name) => this.#settleAll(name, { isNew: false, onlyStale: true })),
    );
  }

  /** Resolves when what was open at the last start or change has been asked for. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new HostError("canceled", "the package is stopping"));
    await this.settled();
  }

  async #settleAll(snapshotter: string, { isNew, onlyStale }: Look): Promise<void> {
    const { signal } = this.#stop;
    const { database, flights } = this.#parts;
    for (const intent of listIntents(database)) {
      if (signal.aborted) return;
      if (scopeOf(intent).snapshotter !== snapshotter || flights.has(intent)) continue;
      const undo = isNew || isStale(intent);
      if (onlyStale && !undo) continue;
      const { sequence, namespace } = intent;
      const facts = { sequence: String(sequence), namespace, snapshotter };
      try {
        const settlement = await settleIntent(this.#parts, intent, { undo, signal });
        this.#log.info("intent settled", { ...facts, settlement });
      } catch (error) {
        if (!signal.aborted) this.#log.warn("intent not settled", { ...facts, error: String(error) });
      }
    }
  }
}

/** Whether every call on behalf of it was given up long ago. */
function isStale({ createdAt }: Intent): boolean {
  const ageMs = createdAt === undefined ? 0 : Date.now() - Number(nanosOf(createdAt) / 1_000_000n);
  return ageMs > defaultLimits.callMs;
}
