import { resolve } from "node:path";
import { Metadata } from "#proto/gen/bulkhead/metadata/v1/metadata_pb.ts";
import { clientOf } from "#rpc";
import { withDaemon } from "./daemon-channel.ts";
import type { GlobalFlags } from "./globals.ts";
import { print, printJson } from "./terminal.ts";

/** `bulkhead metadata backup FILE`: the daemon writes the file, so the path must be one that it sees. */
export async function backupMetadata(
  globals: GlobalFlags,
  file: string,
  options: { readonly json?: true },
): Promise<void> {
  const path = resolve(file);
  const { bytes } = await withDaemon("admin", globals, `back up metadata to ${path}`, (channel) =>
    clientOf(Metadata, channel).backup({ file: path }),
  );
  if (options.json) await printJson({ file: path, bytes: Number(bytes) });
  else await print(`${path}: ${bytes} bytes\n`);
}
