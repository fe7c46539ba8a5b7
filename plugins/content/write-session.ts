import { create } from "@bufbuild/protobuf";
import { HostError } from "bulkhead/plugin";
import {
  WriteAction,
  WriteContentResponseSchema,
  type WriteContentRequest,
  type WriteContentResponse,
} from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { timestampFromNanos, zeroTimestamp } from "#proto/wire/timestamp.ts";

/** How a write ends. */
export interface WriteCommit {
  /** Bytes announced; 0: unknown. */
  readonly size: bigint;
  /** Digest announced; "": unknown. */
  readonly expected: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a write stream writes to; closing it without commit or discard keeps what was written. */
export interface WriteTarget extends AsyncDisposable {
  readonly status: { readonly offset: bigint; readonly startedAt: bigint; readonly updatedAt: bigint };
  /** Of the bytes so far. */
  readonly digest: string;
  write(data: Uint8Array): Promise<void>;
  /** Back to no bytes. */
  restart(): Promise<void>;
  commit(commit: WriteCommit): Promise<void>;
  discard(): Promise<void>;
  /** Whether the caller can see such a blob already. */
  has(digest: string): Promise<boolean>;
}

/** Opens what the first message names. */
export type OpenTarget = (first: {
  readonly ref: string;
  readonly total: bigint;
  readonly expected: string;
}) => Promise<WriteTarget>;

/**
 * containerd's write stream (services/content/contentserver.go): one answer for each request, and the last once more
 * when the stream ends well, which is after COMMIT or when the client closes its side. Throws invalid-argument without
 * a ref, out-of-range for a wrong offset, already-exists, and what the target throws.
 */
export async function* serveWrite(
  requests: AsyncIterable<WriteContentRequest>,
  openTarget: OpenTarget,
): AsyncGenerator<WriteContentResponse, void, undefined> {
  const messages = requests[Symbol.asyncIterator]();
  const first = await messages.next();
  if (first.done === true) throw new HostError("unknown", "EOF");
  const { ref, total, expected } = first.value;
  if (ref === "") throw new HostError("invalid-argument", "first message must have a reference");
  await using target = await openTarget({ ref, total, expected });
  const session = new WriteSession(target, { total, expected });
  for (let next: IteratorResult<WriteContentRequest> = first; next.done !== true; next = await messages.next()) {
    yield await session.answer(next.value, next === first);
    if (next.value.action === WriteAction.COMMIT) break;
  }
  yield session.lastAnswer;
}

class WriteSession {
  readonly #target: WriteTarget;
  #total: bigint;
  #expected: string;
  /** Fields keep what an earlier request of another action put there, as in containerd. */
  #answer: WriteContentResponse = create(WriteContentResponseSchema, {
    startedAt: zeroTimestamp(),
    updatedAt: zeroTimestamp(),
  });

  constructor(target: WriteTarget, announced: { readonly total: bigint; readonly expected: string }) {
    this.#target = target;
    this.#total = announced.total;
    this.#expected = announced.expected;
  }

  get lastAnswer(): WriteContentResponse {
    return this.#answer;
  }

  async answer(request: WriteContentRequest, isFirst: boolean): Promise<WriteContentResponse> {
    if (request.expected !== "" && !isFirst) await this.#expect(request.expected);
    if (request.total > 0n) this.#total = request.total;
    this.#answer = create(WriteContentResponseSchema, { ...this.#answer, action: request.action });
    this.#answer.offset = this.#target.status.offset;
    switch (request.action) {
      case WriteAction.STAT:
        this.#stat();
        break;
      case WriteAction.WRITE:
      case WriteAction.COMMIT:
        await this.#write(request);
        break;
      default:
        break; // an unknown action is answered with what is known, as in containerd
    }
    return this.#answer;
  }

  async #expect(expected: string): Promise<void> {
    this.#expected = expected;
    if (!(await this.#target.has(expected))) return;
    await this.#target.discard();
    throw new HostError("already-exists", `blob with expected digest ${expected} exists`);
  }

  #stat(): void {
    const { startedAt, updatedAt } = this.#target.status;
    this.#answer.startedAt = timestampFromNanos(startedAt);
    this.#answer.updatedAt = timestampFromNanos(updatedAt);
    this.#answer.total = this.#total;
    this.#answer.digest = this.#target.digest;
  }

  async #write({ action, offset, data, labels }: WriteContentRequest): Promise<void> {
    const current = this.#target.status.offset;
    if (offset > 0n && offset !== current) {
      throw new HostError("out-of-range", `write @${offset} must occur at current offset ${current}`);
    }
    if (offset === 0n && current > 0n) await this.#target.restart();
    if (data.length > 0) await this.#target.write(data);
    this.#answer.offset = this.#target.status.offset;
    this.#answer.digest = this.#target.digest;
    if (action !== WriteAction.COMMIT) return;
    await this.#target.commit({ size: this.#total, expected: this.#expected, labels });
  }
}
