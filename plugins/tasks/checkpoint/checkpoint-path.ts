import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { HostError } from "bulkhead/plugin";
import {
  CheckpointOptionsSchema as LegacyCheckpointOptionsSchema,
  CreateOptionsSchema,
} from "#proto/gen/containerd/linux/runc/runc_pb.ts";
import { CheckpointOptionsSchema, OptionsSchema } from "#proto/gen/containerd/runc/v1/runc_pb.ts";
import { unpackAny } from "#proto/wire/any.ts";

const legacyRuntime = "io.containerd.runtime.v1.linux";

/** Folder that the options of a Checkpoint name; empty: none. Throws unknown for options of another kind. */
export function checkpointPathOf(runtime: string, options: Any | undefined): string {
  const known =
    runtime === legacyRuntime
      ? runcOptions(runtime, LegacyCheckpointOptionsSchema, options, "checkpoint")
      : runcOptions(runtime, CheckpointOptionsSchema, options, "checkpoint");
  return known?.imagePath ?? "";
}

/** Folder of a checkpoint that the options of a Create name; empty: none. Throws unknown for options of another kind. */
export function restorePathOf(runtime: string, options: Any | undefined): string {
  const known =
    runtime === legacyRuntime
      ? runcOptions(runtime, CreateOptionsSchema, options, "create")
      : runcOptions(runtime, OptionsSchema, options, "create");
  return known?.criuImagePath ?? "";
}

/** Only the options of runc's shims are known; those of others mean what their shims say. */
function runcOptions<D extends DescMessage>(
  runtime: string,
  schema: D,
  options: Any | undefined,
  what: string,
): MessageShape<D> | undefined {
  if (options === undefined) return undefined;
  if (runtime !== legacyRuntime && !runtime.startsWith("io.containerd.runc.")) return undefined;
  const known = unpackAny(schema, options);
  if (known === undefined) throw new HostError("unknown", `invalid task ${what} option for ${runtime}`);
  return known;
}
