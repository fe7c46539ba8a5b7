import type { Any } from "@bufbuild/protobuf/wkt";
import { HostError } from "bulkhead/plugin";
import { CreateOptionsSchema, RuncOptionsSchema } from "#proto/gen/containerd/linux/runc/runc_pb.ts";
import { unpackAny } from "#proto/wire/any.ts";
import type { Bundle } from "../bundle/bundle.ts";

/** Which runtime a v1 shim drives, and how. */
export interface LegacyOptions {
  /** Name or path. */
  readonly runtime: string;
  /** Where it keeps its state, with a folder a namespace; empty: runc's usual place. */
  readonly runtimeRoot: string;
  readonly systemdCgroup: boolean;
}

const fileName = "options.json";

/** What a container's runtime options make of the defaults. Throws unknown for options of another kind. */
export function legacyOptions(defaults: LegacyOptions, options: Any | undefined): LegacyOptions {
  if (options === undefined || options.value.length === 0) return defaults;
  const known = unpackAny(RuncOptionsSchema, options);
  if (known === undefined) throw new HostError("unknown", "invalid runtime options format");
  const { runtime, runtimeRoot, systemdCgroup } = known;
  return { runtime: runtime === "" ? defaults.runtime : runtime, runtimeRoot, systemdCgroup };
}

/** Throws unimplemented for what only containerd's own process can do for a shim. */
export function refuseShimCgroup(options: Any | undefined): void {
  if (options === undefined || options.value.length === 0) return;
  const shimCgroup = unpackAny(CreateOptionsSchema, options)?.shimCgroup ?? "";
  if (shimCgroup === "") return;
  throw new HostError("unimplemented", "runtime v1: a cgroup of the shim's own is not offered: not implemented");
}

/** Writes down what a later generation must know to clean up. */
export function keepOptions(bundle: Bundle, options: LegacyOptions): void {
  bundle.writeText(fileName, JSON.stringify(options));
}

/** What was written down; the defaults where that cannot be read. */
export function keptOptions(bundle: Bundle, defaults: LegacyOptions): LegacyOptions {
  try {
    return { ...defaults, ...(JSON.parse(bundle.readText(fileName) ?? "{}") as Partial<LegacyOptions>) };
  } catch {
    return defaults;
  }
}
