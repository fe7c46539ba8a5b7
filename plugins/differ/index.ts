import { dirname, join } from "node:path";
import { definePlugins, HostError, type PluginContext, type PluginDefinition } from "bulkhead/plugin";
import { putOptFolderFirst } from "../shared/opt-folder.ts";
import { limitsOf, processorsOf, type DiffServiceConfig, type WalkingConfig } from "./config.ts";
import type { Differ } from "./differ.ts";
import { sweepFolder, sweepOtherGenerations } from "./mounts/temp-mount.ts";
import { orderedDiffers } from "./ordered-differs.ts";
import { proxiedDiffer } from "./proxied-differ.ts";
import { diffService } from "./service.ts";
import { Workers } from "./threads/workers.ts";
import { WalkingDiffer } from "./walking-differ.ts";

const differType = "io.containerd.differ.v1";

/** The plugins of the package, each over the one before. */
let walking: Differ | undefined;
let ordered: Differ | undefined;

function openWalking(context: PluginContext<WalkingConfig>) {
  const { config, log, peers } = context;
  // Before the threads are made: each has its own copy of the environment.
  if (config.opt_path !== undefined && config.opt_path !== "") putOptFolderFirst(config.opt_path);
  const folder = join(dirname(context.root), "tmpmounts");
  const generation = `${context.package}-${context.generation}`;
  for (const error of sweepOtherGenerations(folder, context.package, generation)) {
    log.warn("temporary mount left behind", { error });
  }
  const workers = new Workers(config.max_concurrent);
  const limits = limitsOf(config);
  const tempMounts = join(folder, generation);
  walking = new WalkingDiffer({ peers, log, workers, limits, processors: processorsOf(config), tempMounts });
  const close = async (): Promise<void> => {
    await workers[Symbol.asyncDispose]();
    sweepFolder(tempMounts);
  };
  return { platforms: [hostPlatform()], close };
}

/** As containerd names the machine it runs on. */
function hostPlatform() {
  const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
  const architecture = architectures[process.arch] ?? process.arch;
  return { os: "linux", architecture, ...(architecture === "arm64" && { variant: "v8" }) };
}

function openService({ config, peers }: PluginContext<DiffServiceConfig>) {
  const differs = config.default.map((name) => {
    if (name === "walking" && walking !== undefined) return walking;
    const uri = `${differType}.${name}`;
    if (name !== "walking" && peers.find(uri).length > 0) return proxiedDiffer(peers, uri);
    throw new HostError("unknown", `needed differ not loaded: ${name}`);
  });
  ordered = config.sync_fs ? synced(orderedDiffers(differs)) : orderedDiffers(differs);
  return {};
}

/** As if every client asked for it. */
function synced(differ: Differ): Differ {
  return { ...differ, apply: (request, context) => differ.apply({ ...request, syncFs: true }, context) };
}

const grpc: PluginDefinition = {
  init() {
    if (ordered === undefined) {
      throw new HostError("failed-precondition", "io.containerd.service.v1.diff-service is not open");
    }
    return { services: [diffService(ordered)] };
  },
};

export default definePlugins({
  [`${differType}.walking`]: { init: openWalking } satisfies PluginDefinition<WalkingConfig>,
  "io.containerd.service.v1.diff-service": { init: openService } satisfies PluginDefinition<DiffServiceConfig>,
  "io.containerd.grpc.v1.diff": grpc,
});
