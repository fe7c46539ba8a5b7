import type { FileConfig, FileScalars } from "./config-file.ts";

/** Keys that are ours: a zero in them is meant. */
const zeroCounts: ReadonlySet<string> = new Set([
  "bootWaitMs",
  "orphanTimeMs",
  "crashFiles",
  "crashFileBytes",
  "crashTotalBytes",
  "crashReserveBytes",
  "crashLines",
  "crashCalls",
] satisfies (keyof FileScalars)[]);

/**
 * The first file with what the second one says, as containerd merges an import: a scalar that is not empty or zero
 * overrides, lists append, maps take each key whole. Mirrors containerd 1.6 services/server/config, mergeConfig.
 */
export function mergeFiles(base: FileConfig, over: FileConfig): FileConfig {
  return {
    scalars: mergeScalars(base.scalars, over.scalars),
    lists: {
      imports: [...base.lists.imports, ...over.lists.imports],
      disabledPlugins: [...base.lists.disabledPlugins, ...over.lists.disabledPlugins],
      requiredPlugins: [...base.lists.requiredPlugins, ...over.lists.requiredPlugins],
      pluginDirs: [...base.lists.pluginDirs, ...over.lists.pluginDirs],
    },
    maps: {
      plugins: new Map([...base.maps.plugins, ...over.maps.plugins]),
      pluginOrigins: new Map([...base.maps.pluginOrigins, ...over.maps.pluginOrigins]),
      proxyPlugins: new Map([...base.maps.proxyPlugins, ...over.maps.proxyPlugins]),
      timeoutsMs: new Map([...base.maps.timeoutsMs, ...over.maps.timeoutsMs]),
      streamProcessors: new Map([...base.maps.streamProcessors, ...over.maps.streamProcessors]),
      packages: new Map([...base.maps.packages, ...over.maps.packages]),
      routes: new Map([...base.maps.routes, ...over.maps.routes]),
    },
    router: { ...base.router, ...over.router },
  };
}

/** A file that says nothing. */
export const emptyFile: FileConfig = {
  scalars: {
    version: undefined,
    root: undefined,
    state: undefined,
    temp: undefined,
    oomScore: undefined,
    cgroupPath: undefined,
    grpcAddress: undefined,
    grpcUid: undefined,
    grpcGid: undefined,
    maxRecvMessageBytes: undefined,
    maxSendMessageBytes: undefined,
    ttrpcAddress: undefined,
    ttrpcUid: undefined,
    ttrpcGid: undefined,
    debugAddress: undefined,
    debugUid: undefined,
    debugGid: undefined,
    debugLevel: undefined,
    debugFormat: undefined,
    metricsAddress: undefined,
    grpcHistogram: undefined,
    bootWaitMs: undefined,
    orphanTimeMs: undefined,
    crashFiles: undefined,
    crashFileBytes: undefined,
    crashTotalBytes: undefined,
    crashReserveBytes: undefined,
    crashLines: undefined,
    crashCalls: undefined,
  },
  lists: { imports: [], disabledPlugins: [], requiredPlugins: [], pluginDirs: [] },
  maps: {
    plugins: new Map(),
    pluginOrigins: new Map(),
    proxyPlugins: new Map(),
    timeoutsMs: new Map(),
    streamProcessors: new Map(),
    packages: new Map(),
    routes: new Map(),
  },
  router: {},
};

function mergeScalars(base: FileScalars, over: FileScalars): FileScalars {
  const given = Object.entries(over).filter(([key, value]) =>
    zeroCounts.has(key) ? value !== undefined : Boolean(value),
  );
  return { ...base, ...(Object.fromEntries(given) as Partial<FileScalars>) };
}
