import { isHostError, type CallContext, type Client } from "bulkhead/plugin";
import type { BeginResponse, Blobs } from "#proto/gen/bulkhead/blobs/v1/blobs_pb.ts";
import type { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";

/** What the metadata package serves: its half of a write, and the namespace's view of the store. */
export interface MetadataClients {
  readonly blobs: Client<typeof Blobs>;
  readonly content: Client<typeof Content>;
}

/** The calls to metadata that one write of a client makes, on behalf of that client's call. */
export class MetadataCalls {
  readonly #clients: MetadataClients;
  readonly #context: CallContext;
  /** The client's. */
  readonly #ref: string;

  constructor(clients: MetadataClients, context: CallContext, ref: string) {
    this.#clients = clients;
    this.#context = context;
    this.#ref = ref;
  }

  /** Throws already-exists, failed-precondition without a namespace, not-found for an unknown lease. */
  begin(total: bigint, expected: string): Promise<BeginResponse> {
    return this.#clients.blobs.begin({ ref: this.#ref, total, expected }, this.#options(this.#context.signal));
  }

  /** Gives the number of the intent. */
  async prepare(digest: string, size: bigint, labels: Readonly<Record<string, string>>): Promise<bigint> {
    const request = { ref: this.#ref, digest, size, labels: { ...labels } };
    const { intent } = await this.#clients.blobs.prepare(request, this.#options(this.#context.signal));
    return intent;
  }

  /** Throws already-exists when the namespace has had the blob all along. */
  async commit(intent: bigint): Promise<void> {
    // Not cancelled with the client: the store has the blob, and only this makes it the client's.
    await this.#clients.blobs.commit({ ref: this.#ref, intent }, this.#options(undefined));
  }

  /** Whether the namespace has a blob; none has what is no digest. */
  async hasBlob(digest: string): Promise<boolean> {
    try {
      await this.#clients.content.info({ digest }, this.#options(this.#context.signal));
      return true;
    } catch (error) {
      if (isHostError(error, "not-found") || isHostError(error, "invalid-argument")) return false;
      throw error;
    }
  }

  /** Throws the ingest away, in the namespace and in the store. */
  async abort(): Promise<void> {
    await this.#clients.content.abort({ ref: this.#ref }, this.#options(this.#context.signal));
  }

  #options(signal: AbortSignal | undefined) {
    const { metadata, deadlineMs } = this.#context;
    const passed = [metadataKeys.namespace, metadataKeys.lease].flatMap((key) => {
      const value = metadata[key];
      return value === undefined ? [] : [[key, value] as const];
    });
    return { signal, deadlineMs, metadata: Object.fromEntries(passed) };
  }
}
