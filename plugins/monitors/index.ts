import { readFileSync } from "node:fs";
import { definePlugins, type PluginContext, type PluginDefinition } from "bulkhead/plugin";
import { parseMounts } from "#linux";
import { TaskOOMSchema } from "#proto/gen/containerd/events/events_pb.ts";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { durationMs } from "../shared/durations.ts";
import { findHierarchies } from "../shared/cgroups/hierarchies.ts";
import { OomWatches } from "./cgroups/oom-watches.ts";
import { TaskFollower } from "./cgroups/task-follower.ts";
import { WatchedTasks } from "./cgroups/watched-tasks.ts";
import { RestartMonitor } from "./restart/restart-monitor.ts";

interface CgroupsConfig {
  readonly no_prometheus?: boolean;
}

interface RestartConfig {
  readonly interval?: string;
}

const uris = {
  events: "io.containerd.event.v1",
  tasks: "io.containerd.grpc.v1.tasks",
  containers: "io.containerd.grpc.v1.containers",
  namespaces: "io.containerd.grpc.v1.namespaces",
  snapshots: "io.containerd.grpc.v1.snapshots",
} as const;

const defaultInterval = "10s";

/** Architectures as Go calls them. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

function openCgroups({ config, events, log, peers }: PluginContext<CgroupsConfig>) {
  const hierarchies = findHierarchies(parseMounts(readFileSync("/proc/self/mountinfo", "utf8")));
  const owned = new AsyncDisposableStack();
  const ooms = owned.use(
    new OomWatches(({ namespace, id }) => {
      // It waits in the spool where `events` is away, so nothing can fail.
      void events.publish(namespace, "/tasks/oom", TaskOOMSchema, { containerId: id });
    }, log),
  );
  const watched = new WatchedTasks(hierarchies, ooms, log);
  const sources = {
    events: () => peers.client(Events, uris.events),
    tasks: () => peers.client(Tasks, uris.tasks),
    containers: () => peers.client(Containers, uris.containers),
    namespaces: () => peers.client(Namespaces, uris.namespaces),
  };
  owned.use(new TaskFollower(sources, watched, log));
  return {
    platforms: [{ os: "linux", architecture: architectures[process.arch] ?? process.arch }],
    ...(config.no_prometheus !== true && { metrics: () => watched.metrics() }),
    close: () => owned.disposeAsync(),
  };
}

function openRestart({ config, log, peers }: PluginContext<RestartConfig>) {
  const interval = durationMs("interval", config.interval ?? defaultInterval);
  const monitor = new RestartMonitor({
    intervalMs: interval === 0 ? durationMs("interval", defaultInterval) : interval,
    log,
    clients: () => {
      const needed = [uris.namespaces, uris.containers, uris.snapshots, uris.tasks];
      if (needed.some((uri) => peers.find(uri).length === 0)) return undefined;
      return {
        namespaces: peers.client(Namespaces, uris.namespaces),
        containers: peers.client(Containers, uris.containers),
        snapshots: peers.client(Snapshots, uris.snapshots),
        tasks: peers.client(Tasks, uris.tasks),
      };
    },
  });
  return { close: () => monitor[Symbol.asyncDispose]() };
}

const cgroups: PluginDefinition<CgroupsConfig> = { init: openCgroups };
const restart: PluginDefinition<RestartConfig> = { init: openRestart };

export default definePlugins({
  "io.containerd.monitor.v1.cgroups": cgroups,
  "io.containerd.internal.v1.restart": restart,
});
