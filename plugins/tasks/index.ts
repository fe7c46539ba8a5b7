import { chmodSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseMounts } from "#linux";
import { definePlugins, HostError, SkipPlugin, type PluginContext, type PluginDefinition } from "bulkhead/plugin";
import { findHierarchies } from "../shared/cgroups/hierarchies.ts";
import { timeoutOf, type LegacyRuntimeConfig, type OptConfig, type RuntimeConfig } from "./config.ts";
import { BegunStarts } from "./exits/begun-starts.ts";
import { LostTasks } from "./exits/lost-tasks.ts";
import { Tombstones } from "./exits/tombstones.ts";
import { useOptFolder } from "./opt.ts";
import type { LegacyParts } from "./runtime-v1/legacy-parts.ts";
import { recoverLegacyTasks } from "./runtime-v1/legacy-runtime.ts";
import { TaskEvents } from "./runtime-v1/task-events.ts";
import { findShim } from "./shim/runtime-path.ts";
import { tasksService } from "./service.ts";
import { recoverTasks } from "./tasks/recovery.ts";
import type { RuntimeParts } from "./tasks/runtime-parts.ts";
import { TaskTable } from "./tasks/task-table.ts";

/** What `io.containerd.runtime.v2.task` opened, for the plugins over it. */
let opened: RuntimeParts | undefined;
/** What `io.containerd.runtime.v1.linux` opened, where it could. */
let legacy: LegacyParts | undefined;

function openOpt({ config }: PluginContext<OptConfig>) {
  useOptFolder(config.path);
  return { exports: { path: config.path } };
}

/** Runtime v1, which containerd deprecated in 1.4 and took away in 2.0, where its shim is installed. */
async function openLegacyRuntime({ config, root, state, log, peers }: PluginContext<LegacyRuntimeConfig>) {
  const shim = findShim(config.shim, process.env["PATH"] ?? "");
  if (shim === undefined) {
    const text = `runtime v1 is not offered: its shim ${config.shim} is not installed; use io.containerd.runc.v2`;
    throw new SkipPlugin(`${text}: skip plugin`);
  }
  if (config.no_shim) throw new SkipPlugin("runtime v1 is not offered without shims (no_shim): skip plugin");
  const { runtime, runtime_root: runtimeRoot, shim_debug: isDebugged } = config;
  for (const folder of [root, state]) chmodSync(folder, 0o711);
  legacy = {
    ...theOpened(),
    roots: { state, root, linksWork: false },
    shim,
    options: { runtime, runtimeRoot, systemdCgroup: false },
    isDebugged,
    events: new TaskEvents(peers, log),
    hierarchies: findHierarchies(parseMounts(readFileSync("/proc/self/mountinfo", "utf8"))),
  };
  await recoverLegacyTasks(legacy);
  return { platforms: [hostPlatform()] };
}

function theOpened(): RuntimeParts {
  if (opened === undefined) throw new HostError("failed-precondition", "io.containerd.runtime.v2.task is not open");
  return opened;
}

async function openRuntime(context: PluginContext<RuntimeConfig>) {
  const { config, root, state, log, peers, signal } = context;
  const { daemon } = config;
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const own = join(dirname(state), context.package);
  // Containers in user namespaces must find their way to their root.
  for (const folder of [root, state]) chmodSync(folder, 0o711);
  const lost = new LostTasks(join(own, "lost"), peers, log, stopped);
  const parts: RuntimeParts = {
    roots: { state, root, linksWork: true },
    host: {
      address: daemon.address,
      ttrpcAddress: daemon.ttrpc_address,
      publishBinary: daemon.program,
      debug: ["debug", "trace"].includes(process.env["BULKHEAD_LOG_LEVEL"] ?? ""),
      schedCore: config.sched_core,
      log,
    },
    places: () => ({ path: process.env["PATH"] ?? "", daemonFolder: dirname(daemon.program) }),
    timeouts: {
      startMs: config.start_timeout_ms,
      cleanupMs: timeoutOf(daemon, "shim.cleanup"),
      loadMs: timeoutOf(daemon, "shim.load"),
      shutdownMs: timeoutOf(daemon, "shim.shutdown"),
      stateMs: timeoutOf(daemon, "task.state"),
    },
    tasks: new TaskTable(),
    tombstones: new Tombstones(join(own, "exits"), log),
    lost,
    starts: new BegunStarts(join(own, "starts")),
    log,
    signal: stopped,
  };
  lost.tellAgain();
  await recoverTasks(parts);
  opened = parts;
  const close = (): void => {
    stop.abort();
    for (const { shim } of parts.tasks.all()) shim[Symbol.dispose]();
  };
  return { platforms: [hostPlatform()], close };
}

/** As containerd names the machine it runs on. */
function hostPlatform() {
  const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
  const architecture = architectures[process.arch] ?? process.arch;
  return { os: "linux", architecture, ...(architecture === "arm64" && { variant: "v8" }) };
}

const grpc: PluginDefinition = {
  init({ peers }) {
    return { services: [tasksService({ parts: theOpened(), legacy, peers })] };
  },
};

export default definePlugins({
  "io.containerd.internal.v1.opt": { init: openOpt } satisfies PluginDefinition<OptConfig>,
  "io.containerd.runtime.v1.linux": { init: openLegacyRuntime } satisfies PluginDefinition<LegacyRuntimeConfig>,
  "io.containerd.runtime.v2.task": { init: openRuntime } satisfies PluginDefinition<RuntimeConfig>,
  "io.containerd.service.v1.tasks-service": { init: () => ({}) },
  "io.containerd.grpc.v1.tasks": grpc,
});
