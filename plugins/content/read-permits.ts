import { closeSync, openSync, readSync } from "node:fs";
import type { CallContext, Client, Peers } from "bulkhead/plugin";
import type { Blobs } from "#proto/gen/bulkhead/blobs/v1/blobs_pb.ts";
import { namespaceOf } from "#proto/wire/identifiers.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";

/** Permits that are remembered; the oldest are asked for again. */
const permitLimit = 10_000;
const countBytes = 8;

interface Permit {
  /** Of the metadata instance that gave it. */
  readonly generation: bigint;
  /** How often namespaces had lost blobs when it was given. */
  readonly losses: bigint;
}

/**
 * Which namespace may read which blob. Metadata says so once; that holds until it counts a blob lost in a file that
 * both look at, so that most reads cost no call. Owns: a descriptor of that file.
 */
export class ReadPermits implements Disposable {
  readonly #blobs: () => Client<typeof Blobs>;
  readonly #generation: () => bigint | undefined;
  readonly #permits = new Map<string, Permit>();
  readonly #count = Buffer.alloc(countBytes);
  #opened: { readonly fd: number; readonly generation: bigint } | undefined;

  /** `metadata`: the plugin that knows, as `type.id`. */
  constructor(peers: Peers, metadata: string, blobs: () => Client<typeof Blobs>) {
    this.#blobs = blobs;
    this.#generation = () => peers.find(metadata)[0]?.generation;
  }

  /**
   * Returns when the caller's namespace may read the blob. Throws not-found, failed-precondition without a namespace,
   * and what the call to metadata throws.
   */
  async check({ metadata, signal, deadlineMs }: CallContext, digest: string): Promise<void> {
    const namespace = namespaceOf(metadata);
    const generation = this.#generation();
    const key = `${namespace} ${digest}`;
    const permit = this.#permits.get(key);
    if (permit !== undefined && permit.generation === generation && permit.losses === this.#losses(generation)) {
      return;
    }
    this.#permits.delete(key);
    const options = { signal, deadlineMs, metadata: { [metadataKeys.namespace]: namespace } };
    const { lossesFile, losses } = await this.#blobs().check({ digest }, options);
    if (generation === undefined || !this.#open(lossesFile, generation)) return;
    this.#permits.set(key, { generation, losses });
    for (const oldest of this.#permits.keys()) {
      if (this.#permits.size <= permitLimit) break;
      this.#permits.delete(oldest);
    }
  }

  [Symbol.dispose](): void {
    if (this.#opened !== undefined) closeSync(this.#opened.fd);
    this.#opened = undefined;
  }

  #losses(generation: bigint): bigint | undefined {
    if (this.#opened?.generation !== generation) return undefined;
    readSync(this.#opened.fd, this.#count, 0, countBytes, 0);
    return this.#count.readBigUInt64LE();
  }

  /** Answers whether the file is there to be looked at. */
  #open(file: string, generation: bigint): boolean {
    if (this.#opened?.generation === generation) return true;
    this[Symbol.dispose]();
    try {
      this.#opened = { fd: openSync(file, "r"), generation };
      return true;
    } catch {
      return false; // another user's, perhaps: then every read is asked about
    }
  }
}
