import { timestampNow } from "#proto/wire/timestamp.ts";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { BackEndWriter } from "./back-end-writer.ts";
import { beginWrite, type ContentParts, type SharedBlob, type WriteStart } from "./begin.ts";
import type { Caller } from "../caller.ts";
import { commitIngest, commitShared } from "./commit-steps.ts";
import { forgetIngest, openIngest } from "./ingests.ts";

/** Where the bytes go: a stream of the store, or nowhere, because another namespace has the blob. */
type Target =
  | { readonly kind: "upload"; readonly writer: BackEndWriter }
  | { readonly kind: "shared"; readonly blob: SharedBlob };

export interface WriteTimes {
  readonly startedAt: Timestamp;
  readonly updatedAt: Timestamp;
}

export interface WriteEnd {
  /** Bytes announced; 0n: unknown. */
  readonly total: bigint;
  /** Digest announced; "": unknown. */
  readonly expected: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * A client's open write (containerd metadata/content.go, namespacedWriter). Owns: the store's stream, while there is
 * one.
 */
export class NamespacedWriter implements AsyncDisposable {
  readonly ref: string;
  readonly #parts: ContentParts;
  readonly #caller: Caller;
  readonly #storeRef: string;
  readonly #openedAt = timestampNow();
  #target: Target;

  private constructor(parts: ContentParts, caller: Caller, ref: string, storeRef: string, target: Target) {
    this.ref = ref;
    this.#parts = parts;
    this.#caller = caller;
    this.#storeRef = storeRef;
    this.#target = target;
  }

  /** Throws already-exists, not-found (lease), unavailable while someone else writes the ref. */
  static async open(parts: ContentParts, caller: Caller, start: WriteStart): Promise<NamespacedWriter> {
    const { storeRef, shared } = await beginWrite(parts, caller, start);
    const target: Target =
      shared === undefined
        ? { kind: "upload", writer: await parts.backEnd.openWriter(storeRef, start.total, caller) }
        : { kind: "shared", blob: shared };
    return new NamespacedWriter(parts, caller, start.ref, storeRef, target);
  }

  /** Bytes there. */
  get offset(): bigint {
    return this.#target.kind === "upload" ? this.#target.writer.offset : this.#target.blob.size;
  }

  /** Digest of those. */
  get digest(): string {
    return this.#target.kind === "upload" ? this.#target.writer.digest : this.#target.blob.digest;
  }

  /** Times of the ingest; those of a shared blob are this stream's. */
  async times(): Promise<WriteTimes> {
    const opened = { startedAt: this.#openedAt, updatedAt: this.#openedAt };
    if (this.#target.kind === "shared") return opened;
    const { startedAt, updatedAt } = await this.#target.writer.stat();
    return { startedAt: startedAt ?? opened.startedAt, updatedAt: updatedAt ?? opened.updatedAt };
  }

  /** Writes at the current offset. */
  async write(data: Uint8Array): Promise<void> {
    if (data.length === 0) return;
    const writer = await this.#upload();
    await writer.write(writer.offset, data);
  }

  /** Passes a serialized WRITE request on, which must start at the current offset or at 0n. */
  async writeRaw(request: Uint8Array): Promise<void> {
    const writer = await this.#upload();
    await writer.writeRaw(request);
  }

  /** Back to no bytes. */
  async restart(): Promise<void> {
    const writer = this.#target.kind === "upload" ? this.#target.writer : await this.#openUpload(0n);
    if (writer.offset > 0n) await writer.write(0n, new Uint8Array());
  }

  /** Makes it a blob of the namespace. Throws already-exists, failed-precondition, invalid-argument. */
  async commit(end: WriteEnd): Promise<void> {
    const { total, expected, labels } = end;
    const attempt = { parts: this.#parts, caller: this.#caller, ref: this.ref, labels };
    if (this.#target.kind === "shared") await commitShared(attempt, this.#target.blob, { total, expected });
    else await commitIngest(attempt, this.#target.writer, { total, expected });
  }

  /** Removes the ingest from store and namespace. */
  async discard(): Promise<void> {
    await this[Symbol.asyncDispose]();
    const { database, backEnd } = this.#parts;
    await backEnd.abort(this.#storeRef, this.#caller);
    await database.write((tx) => forgetIngest(tx, this.#caller, this.ref));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#target.kind === "upload") await this.#target.writer[Symbol.asyncDispose]();
  }

  /** The client goes on writing although another namespace has the blob: its bytes are copied to begin with. */
  async #upload(): Promise<BackEndWriter> {
    if (this.#target.kind === "upload") return this.#target.writer;
    const { blob } = this.#target;
    const writer = await this.#openUpload(blob.size);
    if (writer.offset > 0n) await writer.write(0n, new Uint8Array());
    for await (const chunk of this.#parts.backEnd.readStart(blob.digest, blob.size, this.#caller)) {
      await writer.write(writer.offset, chunk);
    }
    return writer;
  }

  async #openUpload(total: bigint): Promise<BackEndWriter> {
    const { database, backEnd } = this.#parts;
    await database.write((tx) => openIngest(tx, this.#caller, this.ref, ""));
    const writer = await backEnd.openWriter(this.#storeRef, total, this.#caller);
    this.#target = { kind: "upload", writer };
    return writer;
  }
}
