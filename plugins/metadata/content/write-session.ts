import { create, fromBinary, toBinary, type MessageShape } from "@bufbuild/protobuf";
import {
  WriteAction,
  WriteContentRequestSchema,
  WriteContentResponseSchema,
  type WriteContentRequest,
} from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { zeroTimestamp } from "#proto/wire/timestamp.ts";
import type { ContentParts } from "./begin.ts";
import { hasBlob } from "./blobs.ts";
import type { Caller } from "../caller.ts";
import { NamespacedWriter } from "./namespaced-writer.ts";

/**
 * containerd's write stream (services/content/contentserver.go) relayed to the store: serialized requests in,
 * serialized answers out, one for each and the last once more when the stream ends well. The bytes of a plain WRITE
 * pass as they came.
 */
export async function* relayWrite(
  parts: ContentParts,
  requests: AsyncIterable<Buffer>,
  callerOf: () => Caller,
): AsyncGenerator<Uint8Array, void, undefined> {
  const messages = requests[Symbol.asyncIterator]();
  let next = await messages.next();
  if (next.done === true) throw new HostError("unknown", "EOF");
  const { ref, total, expected } = fromBinary(WriteContentRequestSchema, next.value);
  if (ref === "") throw new HostError("invalid-argument", "first message must have a reference");
  const caller = callerOf();
  await using writer = await NamespacedWriter.open(parts, caller, { ref, total, expected });
  const session = new WriteSession(parts, caller, writer);
  while (next.done !== true) {
    const request = fromBinary(WriteContentRequestSchema, next.value);
    await session.answer(request, next.value);
    yield session.lastAnswer();
    if (request.action === WriteAction.COMMIT) break;
    next = await messages.next();
  }
  yield session.lastAnswer();
}

/** What a stream remembers between requests. */
class WriteSession {
  readonly #parts: ContentParts;
  readonly #caller: Caller;
  readonly #writer: NamespacedWriter;
  #total = 0n;
  #expected = "";
  /** Fields keep what an earlier request of another action put there, as in containerd. */
  readonly #answer = create(WriteContentResponseSchema, { startedAt: zeroTimestamp(), updatedAt: zeroTimestamp() });

  constructor(parts: ContentParts, caller: Caller, writer: NamespacedWriter) {
    this.#parts = parts;
    this.#caller = caller;
    this.#writer = writer;
  }

  lastAnswer(): Uint8Array {
    return toBinary(WriteContentResponseSchema, this.#answer);
  }

  async answer(request: WriteContentRequest, raw: Uint8Array): Promise<void> {
    this.#answer.action = request.action;
    this.#answer.offset = this.#writer.offset;
    if (request.expected !== "") await this.#expect(request.expected);
    if (request.total > 0n) this.#total = request.total;
    switch (request.action) {
      case WriteAction.STAT:
        return this.#stat();
      case WriteAction.WRITE:
        return this.#write(request, raw);
      case WriteAction.COMMIT:
        return this.#commit(request);
      default:
        return undefined; // an unknown action is answered with what is known, as in containerd
    }
  }

  async #expect(expected: string): Promise<void> {
    this.#expected = expected;
    if (!hasBlob(this.#parts.database, this.#caller.namespace, expected)) return;
    await this.#writer.discard();
    throw new HostError("already-exists", `blob with expected digest ${expected} exists`);
  }

  async #stat(): Promise<void> {
    Object.assign(this.#answer, await this.#writer.times());
    this.#answer.total = this.#total;
    this.#answer.digest = this.#writer.digest;
  }

  async #write(request: WriteContentRequest, raw: Uint8Array): Promise<void> {
    this.#checkOffset(request.offset);
    const restarts = request.offset === 0n && this.#writer.offset > 0n;
    if (isPlainWrite(request) && request.data.length > 0 && !restarts) await this.#writer.writeRaw(raw);
    else await this.#writeDecoded(request);
    this.#answer.offset = this.#writer.offset;
    this.#answer.digest = this.#writer.digest;
  }

  async #commit(request: WriteContentRequest): Promise<void> {
    this.#checkOffset(request.offset);
    await this.#writeDecoded(request);
    this.#answer.offset = this.#writer.offset;
    this.#answer.digest = this.#writer.digest;
    await this.#writer.commit({ total: this.#total, expected: this.#expected, labels: request.labels });
  }

  async #writeDecoded({ offset, data }: WriteContentRequest): Promise<void> {
    if (offset === 0n && this.#writer.offset > 0n) await this.#writer.restart();
    await this.#writer.write(data);
  }

  #checkOffset(offset: bigint): void {
    const current = this.#writer.offset;
    if (offset > 0n && offset !== current) {
      throw new HostError("out-of-range", `write @${offset} must occur at current offset ${current}`);
    }
  }
}

/** Nothing in it is metadata's affair. */
function isPlainWrite({ ref, total, expected, labels }: MessageShape<typeof WriteContentRequestSchema>): boolean {
  return ref === "" && total === 0n && expected === "" && Object.keys(labels).length === 0;
}
