import { Kind, type Info } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { HostError, isHostError } from "#proto/wire/errors.ts";
import type { Log } from "bulkhead/plugin";
import type { Database } from "../database/database.ts";
import type { Driver, MountInit } from "./driver.ts";
import { diskError } from "./disk-error.ts";
import { storedLabels } from "./labels.ts";
import { compileSnapshotFilters, listSnapshots } from "./listing.ts";
import {
  checkCommit,
  checkNew,
  childError,
  findMountable,
  findSnapshot,
  kindOfId,
  lastId,
  mountables,
  recordCommit,
  recordNew,
  recordRemoval,
  recordUpdate,
} from "./records.ts";
import type { MountableKind, StoredSnapshot, Usage } from "./snapshot.ts";
import { Turns } from "./turns.ts";

/** Moments of an operation, in their order; tests end the process at one. */
export type Step = "made" | "recorded" | "sealed" | "committed" | "forgotten" | "discarded";

export interface SnapshotterOptions {
  readonly database: Database;
  readonly driver: Driver;
  readonly log: Log;
  readonly onStep?: (step: Step) => void;
}

type Labels = Readonly<Record<string, string>>;

const noUsage: Usage = { size: 0n, inodes: 0n };

/**
 * A snapshotter over its records and a driver. The record is the truth: what a snapshot consists of is made before it
 * is recorded, is on disk or can be made again, and is taken away after its record, so a process that ends in between leaves only rubbish,
 * which the next one sweeps away. Ids of rubbish are not used again either.
 */
export class Snapshotter {
  readonly #database: Database;
  readonly #driver: Driver;
  readonly #log: Log;
  readonly #onStep: (step: Step) => void;
  readonly #turns = new Turns();
  /** What is being made or committed may be on the disk as this, whatever the records say. */
  readonly #underWay = new Map<bigint, readonly Kind[]>();
  /** Committed ones that something is being made on, with how often. */
  readonly #pins = new Map<bigint, number>();
  #lastId: bigint;

  /** The driver's folders must be there. */
  constructor({ database, driver, log, onStep = () => {} }: SnapshotterOptions) {
    this.#database = database;
    this.#driver = driver;
    this.#log = log;
    this.#onStep = onStep;
    const [recorded, found] = [lastId(database), driver.highestId()];
    this.#lastId = recorded > found ? recorded : found;
    if (driver.restore !== undefined) for (const each of mountables(database)) driver.restore(each);
  }

  /**
   * A new snapshot on a committed one ("": on none), with its mounts. Throws already-exists, not-found and
   * invalid-argument for the parent, resource-exhausted on a full disk.
   */
  create(kind: MountableKind, name: string, parent: string, labels: Labels): Promise<MountInit[]> {
    return worded(this.#driver.words.create, async () => {
      const parentIds = checkNew(this.#database, name, parent);
      const kept = storedLabels(labels); // before an id is taken
      const snapshot = { id: ++this.#lastId, kind, parentIds };
      this.#hold(snapshot.id, parentIds[0]);
      try {
        await this.#driver.create(snapshot);
        this.#onStep("made");
        await this.#database.write((tx) => recordNew(tx, { ...snapshot, name, parent, labels: kept }));
        this.#onStep("recorded");
      } catch (error) {
        // A commit that failed inside LMDB may be on disk all the same; the next process will see.
        if (!isHostError(error, "internal")) await this.#discard(snapshot.id);
        throw error;
      } finally {
        this.#release(snapshot.id, parentIds[0]);
      }
      return this.#driver.mounts(snapshot);
    });
  }

  /** Throws not-found, failed-precondition for a committed one. */
  mounts(name: string): MountInit[] {
    try {
      return this.#driver.mounts(findMountable(this.#database, name));
    } catch (error) {
      throw withWords(this.#driver.words.mounts, error);
    }
  }

  /**
   * Makes the active snapshot `key` the committed `name`, with what it takes of the disk now. Throws not-found,
   * already-exists, failed-precondition.
   */
  commit(key: string, name: string, labels: Labels): Promise<void> {
    return this.#turns.take(key, async () => {
      const { id } = findSnapshot(this.#database, key);
      this.#underWay.set(id, [Kind.ACTIVE, Kind.COMMITTED]);
      try {
        await worded(this.#driver.words.commit, () => this.#commit(id, key, name, labels));
      } finally {
        this.#underWay.delete(id);
      }
      await this.#driver.sealed?.(id).catch((error: unknown) => {
        this.#log.warn("rest of a committed snapshot left for the next cleanup", { id: `${id}`, error });
      });
    });
  }

  async #commit(id: bigint, key: string, name: string, labels: Labels): Promise<void> {
    checkCommit(this.#database, key, name);
    const usage = await this.#driver.measure(findMountable(this.#database, key));
    await this.#driver.seal?.(id);
    this.#onStep("sealed");
    try {
      await this.#database.write((tx) => recordCommit(tx, { key, name, labels, usage }));
    } catch (error) {
      // A commit that failed inside LMDB may be on disk all the same; the next process will see.
      if (!isHostError(error, "internal")) await this.#driver.unseal?.(id);
      throw error;
    }
    this.#onStep("committed");
  }

  /** Throws not-found, failed-precondition while others stand on it. */
  remove(name: string): Promise<void> {
    return this.#turns.take(name, () =>
      worded(this.#driver.words.remove, async () => {
        const { id } = await this.#database.write((tx) => {
          const found = recordRemoval(tx, name);
          if (this.#pins.has(found.id)) throw childError();
          return found;
        });
        this.#onStep("forgotten");
        if (this.#driver.keepsRemoved !== true) await this.#discard(id);
        this.#onStep("discarded");
      }),
    );
  }

  /** Throws not-found. */
  stat(name: string): Info {
    return this.#shown(findSnapshot(this.#database, name));
  }

  /** Changes labels; `paths` as in an update mask. Throws not-found, invalid-argument. */
  async update(name: string, labels: Labels, paths: readonly string[]): Promise<Info> {
    return this.#shown(await this.#database.write((tx) => recordUpdate(tx, name, labels, paths)));
  }

  /** All that pass the filters, in byte order of their names, in blocks of 100. Throws unknown for a bad filter. */
  *list(filters: readonly string[]): Iterable<Info[]> {
    for (const block of listSnapshots(this.#database, compileSnapshotFilters(filters))) {
      yield block.map((found) => this.#shown(found));
    }
  }

  /** What a snapshot takes by itself: an active one as it is now, a committed one as it was, a view nothing. */
  async usage(name: string): Promise<Usage> {
    const { info, size, inodes } = findSnapshot(this.#database, name);
    if (info.kind === Kind.COMMITTED) return { size, inodes };
    if (info.kind === Kind.VIEW) return noUsage;
    return worded("", () => this.#driver.measure(findMountable(this.#database, name)));
  }

  /** Takes away what removals and dead processes left on the disk. */
  async cleanup(): Promise<void> {
    await worded("", () => this.#driver.sweep((id) => this.#neededFor(id)));
  }

  #neededFor(id: bigint): readonly Kind[] {
    const kind = kindOfId(this.#database, id);
    return this.#underWay.get(id) ?? (kind === undefined ? [] : [kind]);
  }

  #shown({ id, info }: StoredSnapshot): Info {
    const more = this.#driver.labels?.(id);
    return more === undefined ? info : { ...info, labels: { ...info.labels, ...more } };
  }

  #hold(id: bigint, parent: bigint | undefined): void {
    this.#underWay.set(id, [Kind.ACTIVE, Kind.VIEW]);
    if (parent !== undefined) this.#pins.set(parent, (this.#pins.get(parent) ?? 0) + 1);
  }

  #release(id: bigint, parent: bigint | undefined): void {
    this.#underWay.delete(id);
    if (parent === undefined) return;
    const count = (this.#pins.get(parent) ?? 1) - 1;
    if (count === 0) this.#pins.delete(parent);
    else this.#pins.set(parent, count);
  }

  async #discard(id: bigint): Promise<void> {
    await this.#driver.discard(id).catch((error: unknown) => {
      this.#log.warn("rest of a removed snapshot left for the next cleanup", { id: `${id}`, error });
    });
  }
}

async function worded<T>(words: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw withWords(words, error);
  }
}

/** The error as containerd words it, its class kept; a full disk gets its class. */
function withWords(words: string, error: unknown): HostError {
  const failure = diskError(error);
  if (words === "") return failure;
  const { kind, message } = failure;
  return new HostError(kind, `${words}: ${message}`, { cause: error });
}
