import { classedError, HostError, isHostError, type CallContext } from "bulkhead/plugin";
import { validateLabels } from "#proto/wire/labels.ts";
import { nanosOf, timestampNow } from "#proto/wire/timestamp.ts";
import type { IngestWriter } from "./ingest-writer.ts";
import type { LocalStore } from "./local-store.ts";
import { MetadataCalls, type MetadataClients } from "./metadata-calls.ts";
import type { OpenTarget, WriteCommit, WriteTarget } from "./write-session.ts";

/**
 * Opens writes of clients: metadata decides who may write what, the bytes go to the store. `context` is the client's
 * call, whose namespace, lease, deadline and cancellation go along.
 */
export function namespacedTargets(store: LocalStore, clients: MetadataClients, context: CallContext): OpenTarget {
  return async ({ ref, total, expected }) => {
    const calls = new MetadataCalls(clients, context, ref);
    const begun = await calls.begin(total, expected);
    const open = (size: bigint) => store.openWriter(begun.storeRef, size, context.signal);
    const source = begun.shared ? { digest: expected, size: begun.size } : await open(total);
    return new NamespacedTarget({ store, calls, ref, source, open });
  };
}

/** A blob that another namespace has, and that this one may have without sending its bytes. */
interface SharedBlob {
  readonly digest: string;
  /** Bytes. */
  readonly size: bigint;
}

interface TargetParts {
  readonly store: LocalStore;
  readonly calls: MetadataCalls;
  /** The client's. */
  readonly ref: string;
  readonly source: IngestWriter | SharedBlob;
  /** Opens the ingest in the store; `size`: bytes announced. */
  readonly open: (size: bigint) => Promise<IngestWriter>;
}

/** containerd's namespaced writer (metadata/content.go). Owns: the store's writer, once there is one. */
class NamespacedTarget implements WriteTarget {
  readonly #parts: TargetParts;
  readonly #openedAt = nanosOf(timestampNow());
  #source: IngestWriter | SharedBlob;

  constructor(parts: TargetParts) {
    this.#parts = parts;
    this.#source = parts.source;
  }

  get status(): WriteTarget["status"] {
    if (!isShared(this.#source)) return this.#source.status;
    return { offset: this.#source.size, startedAt: this.#openedAt, updatedAt: this.#openedAt };
  }

  get digest(): string {
    return this.#source.digest;
  }

  async write(data: Uint8Array): Promise<void> {
    const writer = isShared(this.#source) ? await this.#copyShared(this.#source) : this.#source;
    await writer.write(data);
  }

  async restart(): Promise<void> {
    const writer = isShared(this.#source) ? await this.#openCopy(0n) : this.#source;
    await writer.restart();
  }

  async commit({ size, expected, labels }: WriteCommit): Promise<void> {
    validateLabels("info.Labels", labels);
    const { offset } = this.status;
    if (size > 0n && size !== offset) {
      throw classedError("failed-precondition", `"${this.#parts.ref}" failed size validation: ${offset} != ${size}`);
    }
    if (isShared(this.#source)) await this.#commitShared(this.#source, expected, labels);
    else await this.#commitWritten(this.#source, expected, labels);
  }

  async discard(): Promise<void> {
    await this[Symbol.asyncDispose]();
    try {
      await this.#parts.calls.abort();
    } catch (error) {
      // An earlier write of the same ref, whose caller had gone, was finished meanwhile: nothing is left to remove.
      if (!isHostError(error, "not-found")) throw error;
    }
  }

  has(digest: string): Promise<boolean> {
    return this.#parts.calls.hasBlob(digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!isShared(this.#source)) await this.#source[Symbol.asyncDispose]();
  }

  async #commitShared(blob: SharedBlob, expected: string, labels: WriteCommit["labels"]): Promise<void> {
    if (expected !== "" && expected !== blob.digest) {
      throw classedError("failed-precondition", `"${this.#parts.ref}" unexpected digest`);
    }
    const intent = await this.#parts.calls.prepare(blob.digest, blob.size, labels);
    await this.#parts.calls.commit(intent);
  }

  async #commitWritten(writer: IngestWriter, expected: string, labels: WriteCommit["labels"]): Promise<void> {
    const { store, calls } = this.#parts;
    let intent: bigint | undefined;
    const prepare = async (blob: { digest: string; size: bigint }) => {
      intent = await calls.prepare(blob.digest, blob.size, labels);
    };
    try {
      await store.commit(writer, { size: 0n, expected, prepare });
    } catch (error) {
      // The store has the blob from another namespace, which serves just as well.
      if (intent === undefined || !isHostError(error, "already-exists")) throw error;
    }
    if (intent === undefined) throw new HostError("internal", `commit of "${this.#parts.ref}" had no intent`);
    await calls.commit(intent);
  }

  /** The client goes on writing after all: what it was told is there becomes an ingest of its own. */
  async #copyShared(blob: SharedBlob): Promise<IngestWriter> {
    const writer = await this.#openCopy(blob.size);
    await writer.restart();
    for await (const { buffer } of this.#parts.store.read(blob.digest, { offset: 0n, size: 0n, room: 0 })) {
      await writer.write(buffer);
    }
    return writer;
  }

  async #openCopy(size: bigint): Promise<IngestWriter> {
    const writer = await this.#parts.open(size);
    this.#source = writer;
    return writer;
  }
}

function isShared(source: IngestWriter | SharedBlob): source is SharedBlob {
  return !("write" in source);
}
