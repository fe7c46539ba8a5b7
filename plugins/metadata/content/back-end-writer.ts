import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { HostError, type Channel } from "bulkhead/plugin";
import {
  WriteAction,
  WriteContentRequestSchema,
  WriteContentResponseSchema,
  type WriteContentResponse,
} from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { RequestSlot } from "./request-slot.ts";

const writePath = "/containerd.services.content.v1.Content/Write";

type CallOptions = NonNullable<Parameters<Channel["raw"]>[2]>;

/**
 * An open Write stream of the store, one request and one answer at a time. Owns: the stream; while it is open nobody
 * else can write that ingest.
 */
export class BackEndWriter implements AsyncDisposable {
  readonly storeRef: string;
  readonly #requests = new RequestSlot();
  readonly #answers: AsyncIterator<Buffer>;
  #last!: WriteContentResponse;
  #over = false;

  private constructor(channel: Channel, storeRef: string, options: CallOptions) {
    this.storeRef = storeRef;
    this.#answers = channel.raw(writePath, this.#requests, options)[Symbol.asyncIterator]();
  }

  /** Opens the ingest; `total` 0n: unknown. */
  static async open(channel: Channel, storeRef: string, total: bigint, options: CallOptions): Promise<BackEndWriter> {
    const writer = new BackEndWriter(channel, storeRef, options);
    await writer.#exchange({ action: WriteAction.STAT, ref: storeRef, total });
    return writer;
  }

  /** The store's last answer. */
  get last(): WriteContentResponse {
    return this.#last;
  }

  /** Bytes the ingest has. */
  get offset(): bigint {
    return this.#last.offset;
  }

  /** Digest of those. */
  get digest(): string {
    return this.#last.digest;
  }

  /** Asks for times, offset and digest. */
  stat(): Promise<WriteContentResponse> {
    return this.#exchange({ action: WriteAction.STAT });
  }

  /** Writes at `offset`; 0n with bytes there already truncates to nothing first. */
  write(offset: bigint, data: Uint8Array): Promise<WriteContentResponse> {
    return this.#exchange({ action: WriteAction.WRITE, offset, data });
  }

  /** Passes a serialized WRITE request on as it is. */
  writeRaw(request: Uint8Array): Promise<WriteContentResponse> {
    return this.#exchangeRaw(request);
  }

  /** Turns the ingest into a blob. `expected` "": whatever it is. The stream is over afterwards. */
  async commit(expected: string): Promise<void> {
    await this.#exchange({ action: WriteAction.COMMIT, offset: this.offset, total: this.offset, expected });
  }

  /** Lets go of the ingest, which stays in the store. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#requests.end();
    await this.#answers.return?.();
  }

  #exchange(request: MessageInitShape<typeof WriteContentRequestSchema>): Promise<WriteContentResponse> {
    return this.#exchangeRaw(toBinary(WriteContentRequestSchema, create(WriteContentRequestSchema, request)));
  }

  async #exchangeRaw(request: Uint8Array): Promise<WriteContentResponse> {
    this.#requests.put(request);
    const next: IteratorResult<Buffer, unknown> = await this.#answers.next();
    if (next.done === true) {
      this.#over = true;
      throw new HostError("unavailable", `write ${this.storeRef}: the content store ended the stream`);
    }
    // Digest and times are all that is kept; nothing here aliases a large frame.
    this.#last = fromBinary(WriteContentResponseSchema, next.value);
    return this.#last;
  }
}
