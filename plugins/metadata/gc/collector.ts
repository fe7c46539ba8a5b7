import { HostError } from "bulkhead/plugin";
import { tables } from "../database/tables.ts";
import { ChangeLog } from "./change-log.ts";
import { emptyTrash, type EmptyingParts } from "./emptying.ts";
import { scanNamespace } from "./scan.ts";
import { scrubContent, scrubSnapshotter } from "./scrub.ts";
import { Slices } from "./slices.ts";
import { sweep } from "./sweep.ts";
import { trashStores, type TrashStore } from "./trash.ts";

/** What a collection did. */
export interface Collected {
  /** Milliseconds of work in the database. */
  readonly workedMs: number;
  readonly removed: number;
  /** Resolves when each back end's trash was gone through, whatever could be deleted; never rejects. */
  readonly emptied: Promise<Emptiness>;
  /** Grows while back ends delete. */
  readonly deleted: () => number;
}

/** Whether something has to be tried again later. */
export interface Emptiness {
  readonly left: number;
}

/** Steps of a collection; tests end the process there. */
export type CollectionStep = "marked" | "swept" | "deleted";

export interface CollectorParts extends EmptyingParts {
  /** Undoes operations that nobody has come back to; what they kept goes with a later collection. */
  readonly settleStale: () => Promise<unknown>;
  readonly onStep?: (step: CollectionStep) => void;
}

/**
 * Collects what no namespace keeps (containerd metadata/db.go, GarbageCollect), beside whatever else is going on: no
 * call waits for more than a slice of it, and no back end for another. Owns: the work on each back end's trash.
 */
export class Collector implements AsyncDisposable {
  readonly #parts: CollectorParts;
  readonly #log = new ChangeLog();
  readonly #startMs = Date.now();
  readonly #stop = new AbortController();
  /** One at a time for each store. */
  readonly #emptying = new Map<TrashStore, Promise<number>>();
  #contentIsScrubbed = false;
  #deleted = 0;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
    parts.content.database.onChanges((tx) => this.#log.hear(tx.written));
  }

  /** One collection; there is one at a time. Throws what the database does. */
  async collect(): Promise<Collected> {
    const { database } = this.#parts.content;
    const { signal } = this.#stop;
    const slices = new Slices();
    let removed = 0;
    this.#log.begin();
    try {
      const namespaces = Array.from(database.range(tables.namespace, []), ({ value }) => value.name);
      for (const namespace of namespaces) {
        const options = { slices, nowMs: Date.now(), signal };
        const graph = await scanNamespace(database, namespace, options);
        const unreachable = await graph.unreachable(() => slices.pause(signal));
        await slices.pause(signal);
        this.#parts.onStep?.("marked");
        removed += await sweep(this.#parts, this.#log, namespace, { unreachable, graph }, slices);
      }
    } finally {
      this.#log.end();
    }
    this.#parts.onStep?.("swept");
    return { workedMs: slices.workedMs, removed, emptied: this.#emptyAll(), deleted: () => this.#deleted };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new HostError("canceled", "the package is stopping"));
    await Promise.allSettled(this.#emptying.values());
  }

  /** Never rejects: what failed is tried again later. */
  async #emptyAll(): Promise<Emptiness> {
    try {
      return await this.#empty();
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#parts.log.warn("trash not gone through", { error: String(error) });
      return { left: 1 };
    }
  }

  async #empty(): Promise<Emptiness> {
    const { signal } = this.#stop;
    if (signal.aborted) return { left: 0 };
    const scrubbed = [this.#scrubContent(), ...[...this.#parts.snapshots.doubts].map((name) => this.#scrub(name))];
    const stores = new Set<TrashStore>(trashStores(this.#parts.content.database));
    // Not awaited: no back end delays another for it.
    this.#parts.settleStale().catch((error: unknown) => {
      this.#parts.log.warn("operations not settled", { error: String(error) });
    });
    const left = await Promise.all([...[...stores].map((store) => this.#emptyOne(store)), ...scrubbed]);
    this.#parts.onStep?.("deleted");
    return { left: left.reduce((sum, count) => sum + count, 0) };
  }

  /** Looks through a snapshotter that may hold what nobody knows of. */
  async #scrub(snapshotter: string): Promise<number> {
    const { doubts } = this.#parts.snapshots;
    const { signal } = this.#stop;
    doubts.delete(snapshotter);
    try {
      await scrubSnapshotter(this.#parts, snapshotter, this.#startMs, signal);
    } catch (error) {
      doubts.add(snapshotter);
      if (!signal.aborted)
        this.#parts.log.warn("snapshotter not looked through", { snapshotter, error: String(error) });
      return 1;
    }
    return this.#emptyOne(`snapshots/${snapshotter}`);
  }

  /** Once in this process: what crashes left. */
  async #scrubContent(): Promise<number> {
    if (this.#contentIsScrubbed) return 0;
    const { signal } = this.#stop;
    try {
      await scrubContent(this.#parts, this.#startMs, signal);
      this.#contentIsScrubbed = true;
    } catch (error) {
      if (!signal.aborted) this.#parts.log.warn("content store not looked through", { error: String(error) });
      return 1;
    }
    return (await this.#emptyOne("content")) + (await this.#emptyOne("ingests"));
  }

  async #emptyOne(store: TrashStore): Promise<number> {
    const { signal } = this.#stop;
    const before = this.#emptying.get(store) ?? Promise.resolve(0);
    const run = before.then(async () => {
      try {
        return (await emptyTrash(this.#parts, store, () => this.#deleted++, signal)).left;
      } catch (error) {
        if (!signal.aborted) this.#parts.log.warn("trash not emptied", { store, error: String(error) });
        return 1;
      }
    });
    this.#emptying.set(store, run);
    return run;
  }
}
