import { statSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { classedError } from "bulkhead/plugin";
import { digestProblem, parseDigest } from "#proto/wire/digest.ts";
import { readBlob, type Chunk, type ReadRange } from "./blob-reader.ts";
import { commitIngest, syncFolder, type Candidate, type CommitRules, type CommitStep } from "./commit-ingest.ts";
import { errnoOf } from "./disk-errors.ts";
import { readRecord, type IngestRecord } from "./ingest-record.ts";
import type { IngestWriter } from "./ingest-writer.ts";
import { Layout } from "./layout.ts";
import { openIngest } from "./open-ingest.ts";
import { RefLocks } from "./ref-locks.ts";

/** What the store knows of a blob. */
export interface BlobInfo {
  /** `algorithm:hex`. */
  readonly digest: string;
  /** Bytes. */
  readonly size: bigint;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
  /** When it was last read, as far as the file system keeps track. */
  readonly updatedAt: bigint;
}

export interface StoreOptions {
  /** Hears of each step of a commit; tests end the process there. */
  readonly onStep?: (step: CommitStep) => void;
}

/**
 * containerd's local content store (content/local/store.go): blobs by digest, ingests by ref, in the same layout, so
 * that each can serve the other's folder. It knows no namespaces and no labels.
 * Owns: everything below its root, and the locks of open ingests. One process a root.
 */
export class LocalStore {
  readonly root: string;
  readonly #layout: Layout;
  readonly #locks = new RefLocks();
  readonly #onStep: StoreOptions["onStep"];

  private constructor(layout: Layout, options: StoreOptions) {
    this.root = layout.root;
    this.#layout = layout;
    this.#onStep = options.onStep;
  }

  /** Opens the store below an existing folder and sweeps what crashed commits left. */
  static async open(root: string, options: StoreOptions = {}): Promise<LocalStore> {
    const layout = new Layout(root);
    for (const folder of [layout.ingests, layout.algorithm("sha256")]) await mkdir(folder, { recursive: true });
    for (const folder of [layout.blobs, layout.root]) await syncFolder(folder);
    await sweep(layout);
    return new LocalStore(layout, options);
  }

  /** Throws invalid-argument for no digest and not-found. */
  info(digest: string): BlobInfo {
    const parsed = parseDigest(digest);
    if (parsed === undefined) throw classedError("invalid-argument", `invalid digest "${digest}"`);
    const found = statBlob(this.#layout.blob(parsed), digest);
    if (found === undefined) throw classedError("not-found", `content ${digest}`);
    return found;
  }

  has(digest: string): boolean {
    const parsed = parseDigest(digest);
    return parsed !== undefined && statBlob(this.#layout.blob(parsed), digest) !== undefined;
  }

  /** Every blob, in the order of algorithm and hex. Those that vanish meanwhile are left out. */
  async *list(): AsyncGenerator<BlobInfo, void, undefined> {
    for (const algorithm of await sortedNames(this.#layout.blobs)) {
      for (const hex of await sortedNames(this.#layout.algorithm(algorithm))) {
        const digest = `${algorithm}:${hex}`;
        const parsed = parseDigest(digest);
        const found = parsed && statBlob(this.#layout.blob(parsed), digest);
        if (found !== undefined) yield found;
      }
    }
  }

  /** Removes a blob; one that is not there is fine, as containerd's store has it. */
  async delete(digest: string): Promise<void> {
    const parsed = parseDigest(digest);
    if (parsed !== undefined) await rm(this.#layout.blob(parsed), { force: true });
  }

  /** See readBlob. Throws invalid-argument for no digest and not-found. */
  async *read(digest: string, range: ReadRange): AsyncGenerator<Chunk, void, undefined> {
    const parsed = parseDigest(digest);
    if (parsed === undefined) throw classedError("invalid-argument", `${digest}: ${digestProblem(digest)}`);
    try {
      yield* readBlob(this.#layout.blob(parsed), range);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") throw classedError("not-found", `content ${digest}`, { cause: error });
      throw error;
    }
  }

  /** Throws not-found. */
  status(ref: string): IngestRecord {
    const paths = this.#layout.ingest(ref);
    const record = readRecord(paths);
    if (record !== undefined) return record;
    const why = `stat ${paths.data}: no such file or directory`;
    throw classedError("not-found", `could not get status for ref "${ref}": ${why}`);
  }

  /** Every ingest, in the order of their folders. */
  async statuses(): Promise<IngestRecord[]> {
    const names = await sortedNames(this.#layout.ingests);
    return names.flatMap((name) => readRecord(this.#layout.ingestIn(name)) ?? []);
  }

  /** Throws an ingest away; one that is not there is fine. A writer that has it open can no longer commit. */
  async abort(ref: string): Promise<void> {
    // Tried again: its writer, closing, may record a time in between.
    await rm(this.#layout.ingest(ref).folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /**
   * Opens the one writer of a ref. `total`: bytes announced, 0: unknown. Throws unavailable while another has it
   * open. The caller owns the writer.
   */
  async openWriter(ref: string, total: bigint, signal: AbortSignal): Promise<IngestWriter> {
    const unlock = await this.#locks.acquire(ref, signal);
    return openIngest({ paths: this.#layout.ingest(ref), ref, total, unlock });
  }

  /** See commitIngest. */
  commit(writer: IngestWriter, rules: Omit<CommitRules, "onStep">): Promise<Candidate> {
    return commitIngest(this.#layout, writer, { ...rules, onStep: this.#onStep });
  }
}

function statBlob(path: string, digest: string): BlobInfo | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (found === undefined || !found.isFile()) return undefined;
  return { digest, size: found.size, createdAt: found.mtimeNs, updatedAt: found.atimeNs };
}

/** Ingests without data or ref: committed just before a crash, or never begun. */
async function sweep(layout: Layout): Promise<void> {
  for (const name of await sortedNames(layout.ingests)) {
    const paths = layout.ingestIn(name);
    if (readRecord(paths) === undefined) await rm(join(layout.ingests, name), { recursive: true, force: true });
  }
}

async function sortedNames(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.toSorted();
}
