import { join, resolve } from "node:path";
import type { FileConfig } from "./config-file.ts";
import {
  defaultBootWaitMs,
  defaultCrashLimits,
  defaultMessageBytes,
  defaultOrphanTimeMs,
  defaultStreamProcessors,
  defaultTimeoutsMs,
} from "./config-defaults.ts";
import type { Config } from "./config.ts";
import { type DefaultPaths, mainSocketName } from "./default-paths.ts";
import { routerLimits } from "./router-limits.ts";
import { shortFolder } from "./socket-folders.ts";

export interface ResolveFacts {
  readonly file: string | undefined;
  /** Of a file that does not say. */
  readonly version: 1 | 2;
  readonly defaults: DefaultPaths;
  readonly privileged: boolean;
  readonly env: NodeJS.ProcessEnv;
}

/** Bytes of a listener's socket path; containerd's own limit. */
export const socketAddressLimitBytes = 104;

/** What files and flags say, on top of the defaults. Relative folders are made absolute. */
export function resolveConfig(
  { scalars, lists, maps, router }: FileConfig,
  { file, version, defaults, privileged, env }: ResolveFacts,
): { config: Config; warnings: string[] } {
  const state = resolve(scalars.state ?? defaults.state);
  const owner = { uid: privileged ? 0 : (process.geteuid?.() ?? 0), gid: privileged ? 0 : (process.getegid?.() ?? 0) };
  const grpc = {
    address: scalars.grpcAddress ?? join(state, mainSocketName),
    uid: scalars.grpcUid ?? owner.uid,
    gid: scalars.grpcGid ?? owner.gid,
    maxRecvMessageBytes: scalars.maxRecvMessageBytes ?? defaultMessageBytes,
    maxSendMessageBytes: scalars.maxSendMessageBytes ?? defaultMessageBytes,
  };
  const ttrpc = resolveTtrpc(scalars, grpc, state, env);
  const config: Config = {
    file,
    version: scalars.version === undefined ? (file === undefined ? 2 : version) : scalars.version === 1 ? 1 : 2,
    root: resolve(scalars.root ?? defaults.root),
    state,
    temp: scalars.temp === undefined ? undefined : resolve(scalars.temp),
    grpc,
    ttrpc: ttrpc.config,
    debug: {
      address: scalars.debugAddress ?? "",
      uid: scalars.debugUid ?? owner.uid,
      gid: scalars.debugGid ?? owner.gid,
      level: scalars.debugLevel ?? "info",
      format: scalars.debugFormat ?? "text",
    },
    metrics: { address: scalars.metricsAddress ?? "", grpcHistogram: scalars.grpcHistogram ?? false },
    disabledPlugins: [...new Set(lists.disabledPlugins)],
    requiredPlugins: [...new Set(lists.requiredPlugins)],
    plugins: maps.plugins,
    pluginOrigins: maps.pluginOrigins,
    proxyPlugins: maps.proxyPlugins,
    timeoutsMs: new Map([...defaultTimeoutsMs, ...maps.timeoutsMs]),
    streamProcessors: new Map([...defaultStreamProcessors, ...maps.streamProcessors]),
    oomScore: scalars.oomScore ?? 0,
    cgroupPath: scalars.cgroupPath ?? "",
    boot: { waitMs: scalars.bootWaitMs ?? defaultBootWaitMs },
    orphans: { timeMs: scalars.orphanTimeMs ?? defaultOrphanTimeMs },
    crashes: {
      files: scalars.crashFiles ?? defaultCrashLimits.files,
      fileBytes: scalars.crashFileBytes ?? defaultCrashLimits.fileBytes,
      totalBytes: scalars.crashTotalBytes ?? defaultCrashLimits.totalBytes,
      reserveBytes: scalars.crashReserveBytes ?? defaultCrashLimits.reserveBytes,
      lines: scalars.crashLines ?? defaultCrashLimits.lines,
      calls: scalars.crashCalls ?? defaultCrashLimits.calls,
    },
    router: routerLimits(router),
    pluginDirs: [...new Set(lists.pluginDirs)],
    packages: maps.packages,
    routes: maps.routes,
    entryErrors: new Map(),
    warnings: [],
  };
  return { config, warnings: ttrpc.warnings };
}

/**
 * An empty ttrpc address follows the main one, with its owner, as in containerd; where that path gets too long the
 * socket goes to a short folder, and a warning says so.
 */
function resolveTtrpc(
  { ttrpcAddress, ttrpcUid, ttrpcGid }: FileConfig["scalars"],
  grpc: Config["grpc"],
  state: string,
  env: NodeJS.ProcessEnv,
): { config: Config["ttrpc"]; warnings: string[] } {
  if (ttrpcAddress !== undefined) {
    return { config: { address: ttrpcAddress, uid: ttrpcUid ?? grpc.uid, gid: ttrpcGid ?? grpc.gid }, warnings: [] };
  }
  const owner = { uid: grpc.uid, gid: grpc.gid };
  const beside = `${grpc.address}.ttrpc`;
  const isMainTooLong = Buffer.byteLength(grpc.address) > socketAddressLimitBytes;
  if (Buffer.byteLength(beside) <= socketAddressLimitBytes || isMainTooLong) {
    return { config: { address: beside, ...owner }, warnings: [] };
  }
  const address = join(shortFolder(state, env), "ttrpc.sock");
  const warning = `${beside} is too long for a socket (${socketAddressLimitBytes} bytes): the ttrpc socket is ${address}; set ttrpc.address to choose another`;
  return { config: { address, ...owner }, warnings: [warning] };
}
