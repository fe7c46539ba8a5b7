import { create, fromBinary } from "@bufbuild/protobuf";
import { clientOf, HostError, isHostError, type Channel, type Peer, type Peers } from "bulkhead/plugin";
import {
  Content,
  ReadContentRequestSchema,
  ReadContentResponseSchema,
  type Info,
  type Status,
} from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import { toBinary } from "@bufbuild/protobuf";
import { BackEndWriter } from "./back-end-writer.ts";
import type { BackEndCall } from "../caller.ts";

/** Type of the peers that are content stores. */
export const contentType = "io.containerd.content.v1";
/** The package of ours that the router may be sent to. */
const ownPackage = "content";
const readPath = "/containerd.services.content.v1.Content/Read";

/**
 * The content store behind this package: our own content package or any other that serves containerd's Content
 * service. It sees blobs by digest and ingests under names of ours, never a client's bare ref, no leases, no labels.
 */
export class ContentBackEnd {
  readonly #peers: Peers;

  constructor(peers: Peers) {
    this.#peers = peers;
  }

  /** The package that may be redirected to, which then asks this package's Blobs service. */
  get redirectTarget(): string | undefined {
    return this.#find()?.package === ownPackage ? ownPackage : undefined;
  }

  /** Generation of the store's instance; changes when it has ended and come back. */
  get generation(): bigint | undefined {
    return this.#find()?.generation;
  }

  /** What the store knows of a blob; undefined: it has none. */
  async info(digest: string, call: BackEndCall): Promise<Info | undefined> {
    const { info } = (await ifFound(this.#client().info({ digest }, optionsOf(call)))) ?? {};
    return info;
  }

  /** What the store knows of an ingest. Throws not-found in its words. */
  async status(storeRef: string, call: BackEndCall): Promise<Status> {
    const { status } = await this.#client().status({ ref: storeRef }, optionsOf(call));
    if (status === undefined)
      throw new HostError("internal", `status of ${storeRef}: the content store answers nothing`);
    return status;
  }

  /** The same; undefined: it has none. */
  findStatus(storeRef: string, call: BackEndCall): Promise<Status | undefined> {
    return ifFound(this.status(storeRef, call));
  }

  /** Removes an ingest; one that is not there is fine. */
  async abort(storeRef: string, call: BackEndCall): Promise<void> {
    await ifFound(this.#client().abort({ ref: storeRef }, optionsOf(call)));
  }

  /** Removes a blob; one that is not there is fine. */
  async delete(digest: string, call: BackEndCall): Promise<void> {
    await ifFound(this.#client().delete({ digest }, optionsOf(call)));
  }

  /** Every blob that the store has, in blocks. */
  async *list(call: BackEndCall): AsyncGenerator<Info[], void, undefined> {
    for await (const { info } of this.#client().list({}, optionsOf(call))) yield info;
  }

  /** Every ingest that the store has. */
  async statuses(call: BackEndCall): Promise<Status[]> {
    return (await this.#client().listStatuses({}, optionsOf(call))).statuses;
  }

  /** Passes a serialized ReadContentRequest on and its serialized answers back. */
  readRaw(request: Uint8Array, call: BackEndCall): AsyncIterable<Buffer> {
    return this.#channel().raw(readPath, [request], optionsOf(call));
  }

  /** The first `size` bytes of a blob, in chunks. */
  async *readStart(digest: string, size: bigint, call: BackEndCall): AsyncIterable<Uint8Array> {
    const request = toBinary(ReadContentRequestSchema, create(ReadContentRequestSchema, { digest, size }));
    for await (const answer of this.readRaw(request, call)) yield fromBinary(ReadContentResponseSchema, answer).data;
  }

  /** Opens an ingest for writing: a new one or the one that is there. The caller owns the writer. */
  openWriter(storeRef: string, total: bigint, call: BackEndCall): Promise<BackEndWriter> {
    return BackEndWriter.open(this.#channel(), storeRef, total, optionsOf(call));
  }

  #client() {
    return clientOf(Content, this.#channel());
  }

  #channel(): Channel {
    const peer = this.#find();
    if (peer === undefined) throw this.#noStore();
    return this.#peers.channel(`${peer.type}.${peer.id}`);
  }

  /** Go's clients ask again for ever after UNAVAILABLE, so it is only said of a store that may come back. */
  #noStore(): HostError {
    const failed = this.#peers.find(contentType).find(({ state }) => state === "failed");
    if (failed !== undefined) {
      const advice = `see bulkhead plugins show ${failed.package}`;
      return new HostError("unavailable", `the content store ${failed.type}.${failed.id} has failed; ${advice}`);
    }
    const advice = "enable the content package or name a store under proxy_plugins";
    return new HostError("failed-precondition", `no plugin of type ${contentType} is there; ${advice}`);
  }

  /** The first that may come (back); several are the operator's mistake, containerd takes any. */
  #find(): Peer | undefined {
    return this.#peers.find(contentType).find(({ state }) => !["absent", "skipped", "failed"].includes(state));
  }
}

function optionsOf({ namespace, signal, deadlineMs }: BackEndCall) {
  return { signal, deadlineMs, metadata: { [metadataKeys.namespace]: namespace } };
}

async function ifFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isHostError(error, "not-found")) return undefined;
    throw error;
  }
}
