import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import {
  Content,
  WriteAction,
  type WriteContentRequestSchema,
} from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Diff } from "#proto/gen/containerd/services/diff/v1/diff_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DescriptorSchema, MountSchema } from "#proto/gen/containerd/types/types_pb.ts";
import { clientOf, connect, type CallOptions, type Channel, type Client } from "#rpc";
import { isHostError } from "#proto/wire/errors.ts";

export type MountInit = Omit<MessageInitShape<typeof MountSchema>, "$typeName">;
export type DescriptorInit = MessageInitShape<typeof DescriptorSchema>;

export const ociTar = "application/vnd.oci.image.layer.v1.tar";
export const ociGzip = `${ociTar}+gzip`;

const pieceBytes = 1024 * 1024;

/** A client of one daemon that stores, unpacks and makes layers in a namespace. Owns: its connection. */
export class LayerClient implements Disposable {
  readonly #channel: Channel;
  readonly content: Client<typeof Content>;
  readonly diff: Client<typeof Diff>;
  readonly options: CallOptions;

  constructor(socket: string, namespace = "default") {
    this.#channel = connect(socket);
    this.content = clientOf(Content, this.#channel);
    this.diff = clientOf(Diff, this.#channel);
    this.options = { metadata: { "containerd-namespace": namespace } };
  }

  /** Stores a blob, which may be there already; gives its descriptor. */
  async store(
    data: Buffer | { readonly path: string },
    mediaType = ociTar,
  ): Promise<DescriptorInit & { digest: string }> {
    const { digest, size } = await measure(data);
    try {
      const answers = this.content.write(requests(data, digest, size), this.options);
      for await (const answer of answers) void answer;
    } catch (error) {
      if (!isHostError(error, "already-exists")) throw error;
    }
    return { mediaType, digest, size };
  }

  /** Unpacks a stored blob. */
  async apply(descriptor: DescriptorInit, mounts: MountInit[], options: CallOptions = {}) {
    const { applied } = await this.diff.apply({ diff: descriptor, mounts }, { ...this.options, ...options });
    return applied;
  }

  /** All bytes of a blob. */
  async read(digest: string): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for await (const { data } of this.content.read({ digest }, this.options)) parts.push(data);
    return Buffer.concat(parts);
  }

  [Symbol.dispose](): void {
    this.#channel[Symbol.dispose]();
  }
}

async function* piecesOf(data: Buffer | { readonly path: string }): AsyncGenerator<Buffer> {
  if (!Buffer.isBuffer(data)) {
    yield* createReadStream(data.path, { highWaterMark: pieceBytes }) as AsyncIterable<Buffer>;
    return;
  }
  for (let at = 0; at < data.length; at += pieceBytes) yield data.subarray(at, at + pieceBytes);
}

async function measure(data: Buffer | { readonly path: string }): Promise<{ digest: string; size: bigint }> {
  const hash = createHash("sha256");
  let size = 0n;
  for await (const piece of piecesOf(data)) {
    hash.update(piece);
    size += BigInt(piece.length);
  }
  return { digest: `sha256:${hash.digest("hex")}`, size };
}

async function* requests(
  data: Buffer | { readonly path: string },
  digest: string,
  size: bigint,
): AsyncGenerator<MessageInitShape<typeof WriteContentRequestSchema>> {
  yield { ref: `layer-${digest}`, total: size };
  let offset = 0n;
  for await (const piece of piecesOf(data)) {
    yield { action: WriteAction.WRITE, offset, data: piece };
    offset += BigInt(piece.length);
  }
  yield { action: WriteAction.COMMIT, offset, total: size, expected: digest, labels: kept };
}

/** Nothing else holds the blob. */
const kept = { "containerd.io/gc.root": "test" };

/** The mount of one folder that snapshotters give for a first layer. */
export function bindOf(source: string): MountInit[] {
  return [{ type: "bind", source, options: ["rw", "rbind"] }];
}

/** The mount of a later layer; `lowers` nearest first. */
export function overlayOf(upper: string, work: string, lowers: readonly string[]): MountInit[] {
  const options = ["index=off", `workdir=${work}`, `upperdir=${upper}`, `lowerdir=${lowers.join(":")}`];
  return [{ type: "overlay", source: "overlay", options }];
}
