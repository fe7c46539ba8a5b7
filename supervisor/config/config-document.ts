import type { Config, Json, JsonObject, PackageOverride } from "./config.ts";
import { formatDuration } from "./duration.ts";
import { routerDocument } from "./router-limits.ts";
import { formatSize } from "./size.ts";

/**
 * The config in the keys of its file, always as version 2: a file of it means the same again. `plugins` is what to
 * show of the plugins' own, by `type.id`, secrets hidden.
 */
export function configDocument(config: Config, plugins: ReadonlyMap<string, JsonObject>): JsonObject {
  const { grpc, ttrpc, debug, metrics } = config;
  return {
    version: 2,
    root: config.root,
    state: config.state,
    temp: config.temp ?? "",
    oom_score: config.oomScore,
    disabled_plugins: [...config.disabledPlugins],
    required_plugins: [...config.requiredPlugins],
    plugin_dirs: [...config.pluginDirs],
    grpc: {
      address: grpc.address,
      uid: grpc.uid,
      gid: grpc.gid,
      max_recv_message_size: grpc.maxRecvMessageBytes,
      max_send_message_size: grpc.maxSendMessageBytes,
    },
    ttrpc: { address: ttrpc.address, uid: ttrpc.uid, gid: ttrpc.gid },
    debug: { address: debug.address, uid: debug.uid, gid: debug.gid, level: debug.level, format: debug.format },
    metrics: { address: metrics.address, grpc_histogram: metrics.grpcHistogram },
    cgroup: { path: config.cgroupPath },
    boot: { wait: formatDuration(config.boot.waitMs) },
    orphans: { time: formatDuration(config.orphans.timeMs) },
    crashes: {
      files: config.crashes.files,
      file_size: formatSize(config.crashes.fileBytes),
      total_size: formatSize(config.crashes.totalBytes),
      disk_reserve: formatSize(config.crashes.reserveBytes),
      lines: config.crashes.lines,
      calls: config.crashes.calls,
    },
    router: routerDocument(config.router),
    timeouts: Object.fromEntries([...config.timeoutsMs].map(([key, ms]) => [key, formatDuration(ms)])),
    stream_processors: Object.fromEntries([...config.streamProcessors].map(([id, value]) => [id, toJson(value)])),
    proxy_plugins: Object.fromEntries([...config.proxyPlugins].map(([name, value]) => [name, toJson(value)])),
    packages: Object.fromEntries([...config.packages].map(([name, value]) => [name, overrideDocument(value)])),
    routes: Object.fromEntries(config.routes),
    plugins: Object.fromEntries(plugins),
  };
}

function overrideDocument(override: PackageOverride): JsonObject {
  const {
    limits = {},
    restart = {},
    parking = {},
    watchdog = {},
    stop = {},
    readiness = {},
    user,
    groups,
    env,
  } = override;
  const sections = {
    limits: {
      memory: size(limits.memoryBytes),
      cpu: limits.cpu,
      pids: limits.pids,
      nofile: limits.nofile,
      core: size(limits.coreBytes),
    },
    restart: {
      policy: restart.policy,
      first: duration(restart.firstMs),
      min: duration(restart.minMs),
      max: duration(restart.maxMs),
      intensity: restart.intensity,
      period: duration(restart.periodMs),
    },
    parking: {
      policy: parking.policy,
      calls: parking.calls,
      bytes: size(parking.bytes),
      time: duration(parking.timeMs),
    },
    watchdog: { interval: duration(watchdog.intervalMs), misses: watchdog.misses },
    stop: { grace: duration(stop.graceMs), kill: stop.kill },
    readiness: { by: readiness.by, timeout: duration(readiness.timeoutMs) },
  };
  const given = Object.entries(toJson(sections)).filter(([, section]) => Object.keys(section as JsonObject).length > 0);
  return { ...Object.fromEntries(given), ...toJson({ user, groups, env }) };
}

function duration(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatDuration(ms);
}

function size(bytes: number | undefined): string | undefined {
  return bytes === undefined ? undefined : formatSize(bytes);
}

/** Without what is undefined. */
function toJson(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as Json as JsonObject;
}
