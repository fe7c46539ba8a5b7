import { fromBinary } from "@bufbuild/protobuf";
import { AnySchema, type Any } from "@bufbuild/protobuf/wkt";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import { clientOf } from "#rpc";
import { withDaemon } from "./daemon-channel.ts";
import { CommandFailure } from "./exit-codes.ts";
import type { GlobalFlags } from "./globals.ts";

/** Bytes of an event: a message's limit on the daemon's socket. */
const eventLimitBytes = 16 * 1024 * 1024;
/** A shim waits for this command when its ttrpc socket is away; it must not wait for ever. */
const publishTimeMs = 10_000;

/** `bulkhead publish`: sends the serialized google.protobuf.Any on stdin; shims call it as they call containerd's. */
export async function publishEvent(
  globals: GlobalFlags,
  options: { readonly topic: string; readonly namespace: string },
): Promise<void> {
  const attempt = `publish ${options.topic || "an event"}`;
  const event = decodeEvent(attempt, await readStdin(attempt));
  await withDaemon("main", globals, attempt, (channel) =>
    clientOf(Events, channel).publish(
      { topic: options.topic, event },
      { metadata: { [metadataKeys.namespace]: options.namespace }, deadlineMs: Date.now() + publishTimeMs },
    ),
  );
}

async function readStdin(attempt: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > eventLimitBytes) throw new CommandFailure(`${attempt}: stdin holds over ${eventLimitBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function decodeEvent(attempt: string, bytes: Buffer): Any {
  // A shim that was killed in between: an event without a type would tell nobody anything.
  if (bytes.length === 0) throw new CommandFailure(`${attempt}: stdin holds no event`);
  try {
    return fromBinary(AnySchema, bytes);
  } catch (cause) {
    const text = `${attempt}: stdin holds no serialized google.protobuf.Any: ${(cause as Error).message}`;
    throw new CommandFailure(text, undefined, { cause });
  }
}
