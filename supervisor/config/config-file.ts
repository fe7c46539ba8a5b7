import {
  readPlugins,
  readProxyPlugins,
  readShortSections,
  readStreamProcessors,
  readTimeouts,
} from "./config-entries.ts";
import { defaultCrashLimits, logLevels, oomScoreBounds } from "./config-defaults.ts";
import type { ConfiguredLimits } from "../router/limits.ts";
import type { Config, JsonObject, Origin, PackageOverride } from "./config.ts";
import { Fields } from "./fields.ts";
import { readPackages } from "./package-override.ts";
import { expectations, patterns } from "./manifest-patterns.ts";
import type { ProblemList } from "./problem-list.ts";
import { readRouterLimits } from "./router-limits.ts";
import type { KeyPath } from "./source.ts";

/** What one file says; what it does not say is undefined or empty. Merged by config-merge.ts. */
export interface FileConfig {
  readonly scalars: FileScalars;
  readonly lists: {
    readonly imports: readonly string[];
    readonly disabledPlugins: readonly string[];
    readonly requiredPlugins: readonly string[];
    readonly pluginDirs: readonly string[];
  };
  readonly maps: {
    readonly plugins: ReadonlyMap<string, JsonObject>;
    readonly pluginOrigins: ReadonlyMap<string, Origin>;
    readonly proxyPlugins: Config["proxyPlugins"];
    readonly timeoutsMs: Config["timeoutsMs"];
    readonly streamProcessors: Config["streamProcessors"];
    readonly packages: ReadonlyMap<string, PackageOverride>;
    readonly routes: Config["routes"];
  };
  /** What the `router` section says. */
  readonly router: Partial<ConfiguredLimits>;
}

/** By path of the key in the file. */
export interface FileScalars {
  readonly version: number | undefined;
  readonly root: string | undefined;
  readonly state: string | undefined;
  readonly temp: string | undefined;
  readonly oomScore: number | undefined;
  readonly cgroupPath: string | undefined;
  readonly grpcAddress: string | undefined;
  readonly grpcUid: number | undefined;
  readonly grpcGid: number | undefined;
  readonly maxRecvMessageBytes: number | undefined;
  readonly maxSendMessageBytes: number | undefined;
  readonly ttrpcAddress: string | undefined;
  readonly ttrpcUid: number | undefined;
  readonly ttrpcGid: number | undefined;
  readonly debugAddress: string | undefined;
  readonly debugUid: number | undefined;
  readonly debugGid: number | undefined;
  readonly debugLevel: Config["debug"]["level"] | undefined;
  readonly debugFormat: Config["debug"]["format"] | undefined;
  readonly metricsAddress: string | undefined;
  readonly grpcHistogram: boolean | undefined;
  readonly bootWaitMs: number | undefined;
  readonly orphanTimeMs: number | undefined;
  readonly crashFiles: number | undefined;
  readonly crashFileBytes: number | undefined;
  readonly crashTotalBytes: number | undefined;
  readonly crashReserveBytes: number | undefined;
  readonly crashLines: number | undefined;
  readonly crashCalls: number | undefined;
}

/** A crash report without output, calls or samples, bytes. */
const leastCrashFileBytes = 16 * 1024;

/** Largest uid and gid; one above means "leave it" to the kernel. */
const idLimit = 2 ** 32 - 2;

/** Checks one file; everything wrong goes to `problems`. */
export function readConfigFile(problems: ProblemList): FileConfig {
  const fields = Fields.of(problems.source.value, [], problems);
  const version = readVersion(fields);
  const plugins = new Map([...readPlugins(fields), ...readShortSections(fields, version)]);
  const file: FileConfig = {
    scalars: { version, ...readTop(fields), ...readSockets(fields), ...readObservation(fields), ...readOwn(fields) },
    lists: {
      imports: fields.strings("imports") ?? [],
      disabledPlugins: fields.strings("disabled_plugins") ?? [],
      requiredPlugins: fields.strings("required_plugins") ?? [],
      pluginDirs: fields.strings("plugin_dirs", /^\//, "an absolute path") ?? [],
    },
    maps: {
      plugins: new Map([...plugins].map(([name, { value }]) => [name, value])),
      pluginOrigins: new Map([...plugins].map(([name, { path }]) => [name, { file: problems.source.file, path }])),
      proxyPlugins: readProxyPlugins(fields),
      timeoutsMs: readTimeouts(fields),
      streamProcessors: readStreamProcessors(fields),
      packages: readPackages(fields),
      routes: readRoutes(fields),
    },
    router: readRouterLimits(fields),
  };
  readForeign(fields);
  fields.finish(/^x-/);
  return file;
}

/** containerd 1.6 knows 1 and 2; the text for others is its own. */
function readVersion(fields: Fields): number | undefined {
  const version = fields.integer("version", 0);
  if (version !== undefined && version > 2)
    fields.error(
      "version",
      `expected containerd config version equal to or less than \`2\`, got \`${version}\``,
      "newer formats are not offered yet: write it as version 2",
    );
  return version;
}

function readTop(fields: Fields): Pick<FileScalars, "root" | "state" | "temp" | "oomScore" | "cgroupPath"> {
  const cgroup = fields.section("cgroup");
  const cgroupPath = cgroup.string("path");
  cgroup.finish();
  return {
    root: fields.string("root"),
    state: fields.string("state"),
    temp: fields.string("temp"),
    oomScore: fields.integer("oom_score", oomScoreBounds.min, oomScoreBounds.max),
    cgroupPath,
  };
}

function readSockets(
  fields: Fields,
): Pick<
  FileScalars,
  Extract<keyof FileScalars, `grpc${"Address" | "Uid" | "Gid"}` | `ttrpc${string}` | `max${string}`>
> {
  const grpc = fields.section("grpc");
  const ttrpc = fields.section("ttrpc");
  const read = {
    grpcAddress: readAddress(grpc),
    grpcUid: grpc.integer("uid", 0, idLimit),
    grpcGid: grpc.integer("gid", 0, idLimit),
    maxRecvMessageBytes: grpc.size("max_recv_message_size"),
    maxSendMessageBytes: grpc.size("max_send_message_size"),
    ttrpcAddress: readAddress(ttrpc),
    ttrpcUid: ttrpc.integer("uid", 0, idLimit),
    ttrpcGid: ttrpc.integer("gid", 0, idLimit),
  };
  if (grpc.string("tcp_address"))
    fields.problems.warn(grpc.pathOf("tcp_address"), "TCP is not offered", "it is ignored");
  grpc.ignore("tcp_tls_ca", "tcp_tls_cert", "tcp_tls_key", "tcp_tls_common_name");
  grpc.finish();
  ttrpc.finish();
  return read;
}

/** The path of a unix socket; a `unix://` in front is taken off, which containerd does not. */
function readAddress(fields: Fields): string | undefined {
  return fields
    .string("address", /^(|(unix:\/\/)?\/.*)$/, "the absolute path of a unix socket")
    ?.replace(/^unix:\/\//, "");
}

function readObservation(
  fields: Fields,
): Pick<FileScalars, Extract<keyof FileScalars, `debug${string}` | "metricsAddress" | "grpcHistogram">> {
  const debug = fields.section("debug");
  const metrics = fields.section("metrics");
  const read = {
    debugAddress: debug.string("address", /^(|\/.*|.*:\d{1,5})$/, "an absolute path or host:port"),
    debugUid: debug.integer("uid", 0, idLimit),
    debugGid: debug.integer("gid", 0, idLimit),
    debugLevel: debug.string("level") === "" ? undefined : debug.oneOf("level", logLevels),
    debugFormat: debug.string("format") === "" ? undefined : debug.oneOf("format", ["text", "json"]),
    metricsAddress: metrics.string("address", /^(|.*:\d{1,5})$/, "host:port"),
    grpcHistogram: metrics.boolean("grpc_histogram"),
  };
  debug.finish();
  metrics.finish();
  return read;
}

function readOwn(
  fields: Fields,
): Pick<FileScalars, Extract<keyof FileScalars, "bootWaitMs" | "orphanTimeMs" | `crash${string}`>> {
  const boot = fields.section("boot");
  const orphans = fields.section("orphans");
  const crashes = fields.section("crashes");
  const read = {
    bootWaitMs: boot.duration("wait"),
    orphanTimeMs: orphans.duration("time"),
    crashFiles: crashes.integer("files", 0, 1000),
    crashFileBytes: crashes.size("file_size", leastCrashFileBytes),
    crashTotalBytes: crashes.size("total_size"),
    crashReserveBytes: crashes.size("disk_reserve"),
    crashLines: crashes.integer("lines", 0, defaultCrashLimits.lines),
    crashCalls: crashes.integer("calls", 0, 1000),
  };
  boot.finish();
  orphans.finish();
  crashes.finish();
  return read;
}

function readRoutes(fields: Fields): Map<string, string> {
  const report = (path: KeyPath, message: string): undefined => {
    fields.problems.error(path, message);
  };
  const routes = fields.map("routes", (value, path, route) => {
    if (!patterns.route.test(route)) return report(path, `expected ${expectations.route}, got "${route}"`);
    if (typeof value === "string" && patterns.packageName.test(value)) return value;
    return report(path, `expected a package: ${expectations.packageName}`);
  });
  return routes ?? new Map<string, string>();
}

/** Keys of containerd that mean nothing here. */
function readForeign(fields: Fields): void {
  if (fields.string("plugin_dir"))
    fields.problems.warn(
      fields.pathOf("plugin_dir"),
      "Go shared objects are not loaded",
      "it is ignored; packages go to plugin_dirs",
    );
}
