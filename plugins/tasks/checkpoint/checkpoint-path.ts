import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { HostError } from "bulkhead/plugin";
import { CheckpointOptionsSchema, OptionsSchema } from "#proto/gen/containerd/runc/v1/runc_pb.ts";
import { unpackAny } from "#proto/wire/any.ts";

/** Folder that the options of a Checkpoint name; empty: none. Throws unknown for options of another kind. */
export function checkpointPathOf(runtime: string, options: Any | undefined): string {
  return runcOptions(runtime, CheckpointOptionsSchema, options, "checkpoint")?.imagePath ?? "";
}

/** Folder of a checkpoint that the options of a Create name; empty: none. Throws unknown for options of another kind. */
export function restorePathOf(runtime: string, options: Any | undefined): string {
  return runcOptions(runtime, OptionsSchema, options, "create")?.criuImagePath ?? "";
}

/** Only the options of runc's shims are known; those of others mean what their shims say. */
function runcOptions<D extends DescMessage>(
  runtime: string,
  schema: D,
  options: Any | undefined,
  what: string,
): MessageShape<D> | undefined {
  if (options === undefined || !runtime.startsWith("io.containerd.runc.")) return undefined;
  const known = unpackAny(schema, options);
  if (known === undefined) throw new HostError("unknown", `invalid task ${what} option for ${runtime}`);
  return known;
}
