import { fileURLToPath } from "node:url";
import type { Config, Json, JsonObject } from "./config.ts";
import type { PluginDeclaration } from "./manifest.ts";

/** A key of plugins' configs that the host fills in for those of a type whose schema knows it. */
interface HostKey {
  readonly type: string;
  readonly key: string;
  readonly value: (config: Config, own: JsonObject | undefined) => Json;
}

const hostKeys: readonly HostKey[] = [
  {
    // The host's processors, beneath those of the differ's own section.
    type: "io.containerd.differ.v1",
    key: "stream_processors",
    value: ({ streamProcessors }, own) =>
      ({ ...Object.fromEntries(streamProcessors), ...own }) as unknown as JsonObject,
  },
  {
    // Where optional programs are, which shims find there, too; empty: nowhere.
    type: "io.containerd.differ.v1",
    key: "opt_path",
    value: ({ plugins, version, disabledPlugins }) => {
      const id = version === 1 ? "opt" : optPlugin;
      return disabledPlugins.includes(id) ? "" : (plugins.get(id)?.["path"] ?? defaultOptPath);
    },
  },
  {
    // What shims are told of the daemon.
    type: "io.containerd.runtime.v2",
    key: "daemon",
    value: ({ grpc, ttrpc, timeoutsMs }) => ({
      address: grpc.address,
      ttrpc_address: ttrpc.address,
      program: daemonProgram,
      timeouts: Object.fromEntries(timeoutsMs),
    }),
  },
];

const optPlugin = "io.containerd.internal.v1.opt";
const defaultOptPath = "/opt/containerd";

/** The launcher: of this checkout, or of the installed package. */
const daemonProgram = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../scripts/bulkhead" : "../scripts/bulkhead", import.meta.url),
);

/** A plugin's config with what its host knows. */
export function withHostKeys(
  config: Config,
  { type }: PluginDeclaration,
  schema: JsonObject | undefined,
  filled: JsonObject,
): JsonObject {
  const known = (schema?.["properties"] ?? {}) as JsonObject;
  const wanted = hostKeys.filter((each) => each.type === type && known[each.key] !== undefined);
  const values = wanted.map(({ key, value }) => [key, value(config, filled[key] as JsonObject | undefined)] as const);
  return { ...filled, ...Object.fromEntries(values) };
}
