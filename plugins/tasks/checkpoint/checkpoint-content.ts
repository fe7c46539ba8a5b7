import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { HostError, type Client } from "bulkhead/plugin";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";

type CallOptions = NonNullable<Parameters<Client<typeof Content>["info"]>[1]>;

/** Media types of a checkpoint's images and of its container's spec. */
export const checkpointTypes = {
  images: "application/vnd.containerd.container.criu.checkpoint.criu.tar",
  config: "application/vnd.containerd.container.checkpoint.config.v1+proto",
} as const;

/** Stores a folder as a tar archive; gives its descriptor. Throws what the content store says. */
export async function storeFolder(content: Client<typeof Content>, folder: string, options: CallOptions) {
  const tar = spawn("tar", ["-C", folder, "-cf", "-", "."], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = endOf(tar);
  ended.catch(() => {}); // heard below, once all is read
  const stored = await store(content, checkpointTypes.images, folder, chunksOf(tar, ended), options);
  return stored;
}

/** Stores bytes; gives their descriptor. Throws what the content store says. */
export function storeBytes(content: Client<typeof Content>, ref: string, bytes: Uint8Array, options: CallOptions) {
  return store(content, checkpointTypes.config, ref, [bytes], options);
}

/** Fills a folder from a stored archive. Throws what the content store says, unknown when it is no archive. */
export async function unpackCheckpoint(
  content: Client<typeof Content>,
  digest: string,
  folder: string,
  options: CallOptions,
): Promise<void> {
  const tar = spawn("tar", ["-C", folder, "-xf", "-"], { stdio: ["pipe", "ignore", "ignore"] });
  const ended = endOf(tar);
  ended.catch(() => {}); // heard below, once all is written
  tar.stdin.on("error", () => {}); // it ended early; its exit tells
  try {
    for await (const { data } of content.read({ digest }, options)) {
      if (!tar.stdin.write(data)) await Promise.race([once(tar.stdin, "drain"), ended]);
    }
  } finally {
    tar.stdin.end();
  }
  await ended;
}

async function store(
  content: Client<typeof Content>,
  mediaType: string,
  ref: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: CallOptions,
) {
  let size = 0n;
  const requests = async function* () {
    yield { action: WriteAction.STAT, ref };
    for await (const data of chunks) {
      yield { action: WriteAction.WRITE, ref, offset: size, data };
      size += BigInt(data.length);
    }
    yield { action: WriteAction.COMMIT, ref, offset: size, total: size };
  };
  let digest = "";
  for await (const answer of content.write(requests(), options)) digest = answer.digest;
  return { mediaType, digest, size };
}

async function* chunksOf(tar: ChildProcess, ended: Promise<void>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of tar.stdout ?? []) yield chunk as Buffer;
  await ended;
}

async function endOf(tar: ChildProcess): Promise<void> {
  const [code] = (await once(tar, "exit")) as [number | null];
  if (code !== 0) throw new HostError("unknown", `tar ended with ${code ?? "a signal"}`);
}
