import type { ConfiguredLimits } from "../router/limits.ts";
import type { Manifest } from "./manifest.ts";

/** The daemon's checked config; keys and meaning are containerd's (boot.md section 3) plus our own. */
export interface Config {
  /** Where it was read from; undefined: defaults only. */
  readonly file: string | undefined;
  /** 1: plugins are named by bare id everywhere, as in containerd's oldest files; else by `type.id`. */
  readonly version: 1 | 2;
  readonly root: string;
  readonly state: string;
  readonly temp: string | undefined;
  readonly grpc: SocketConfig & {
    readonly maxRecvMessageBytes: number;
    readonly maxSendMessageBytes: number;
  };
  readonly ttrpc: SocketConfig;
  readonly debug: {
    readonly address: string;
    readonly uid: number;
    readonly gid: number;
    readonly level: LogLevel;
    readonly format: "text" | "json";
  };
  readonly metrics: { readonly address: string; readonly grpcHistogram: boolean };
  readonly disabledPlugins: readonly string[];
  readonly requiredPlugins: readonly string[];
  /** Config of each plugin by type.id (version 1: by id); see `pluginConfigOf`. Secrets not resolved. */
  readonly plugins: ReadonlyMap<string, JsonObject>;
  /** Where each of them was read from. */
  readonly pluginOrigins: ReadonlyMap<string, Origin>;
  readonly proxyPlugins: ReadonlyMap<string, ProxyPluginConfig>;
  /** Milliseconds by containerd's timeout key. */
  readonly timeoutsMs: ReadonlyMap<string, number>;
  readonly streamProcessors: ReadonlyMap<string, StreamProcessorConfig>;
  readonly oomScore: number;
  readonly cgroupPath: string;
  readonly boot: { readonly waitMs: number };
  /** How long native packages stay up when their host socket is away. */
  readonly orphans: { readonly timeMs: number };
  /** Bounds of crash reports. */
  readonly crashes: CrashLimits;
  /** Bounds of what clients may cost the router. */
  readonly router: ConfiguredLimits;
  /** Searched for package folders after the built-in ones, in order. */
  readonly pluginDirs: readonly string[];
  /** Overrides of a package's manifest, by name. */
  readonly packages: ReadonlyMap<string, PackageOverride>;
  /** Which package routes a service when several could. */
  readonly routes: ReadonlyMap<string, string>;
  /** Entries that are wrong and fail alone, like `packages.acme` or `proxy_plugins.nydus`, and why. */
  readonly entryErrors: ReadonlyMap<string, string>;
  /** Texts for the log, one a thing that was odd but usable. */
  readonly warnings: readonly string[];
}

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "panic";
export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

export interface CrashLimits {
  /** Reports kept of one package; 0: none are written. */
  readonly files: number;
  /** Of one report. */
  readonly fileBytes: number;
  /** Of all reports. */
  readonly totalBytes: number;
  /** Free space that no report may take. */
  readonly reserveBytes: number;
  /** Lines of output in one report. */
  readonly lines: number;
  /** Calls in flight in one report. */
  readonly calls: number;
}

export interface SocketConfig {
  /** Absolute path of a unix socket. */
  readonly address: string;
  readonly uid: number;
  readonly gid: number;
}

export interface ProxyPluginConfig {
  /** Full plugin type, like io.containerd.snapshotter.v1. */
  readonly type: string;
  readonly address: string;
  readonly platform: string | undefined;
  readonly exports: Readonly<Record<string, string>>;
  readonly capabilities: readonly string[];
}

export interface StreamProcessorConfig {
  readonly accepts: readonly string[];
  readonly returns: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
}

/** What the host's config may override of a manifest: any part of a section, the rest stays the manifest's. */
export interface PackageOverride {
  readonly limits?: Part<Manifest["limits"]>;
  readonly restart?: Part<Manifest["restart"]>;
  readonly parking?: Part<Manifest["parking"]>;
  readonly watchdog?: Part<Manifest["watchdog"]>;
  readonly stop?: Part<Manifest["stop"]>;
  readonly readiness?: Part<Manifest["readiness"]>;
  readonly user?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

type Part<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** Where a plugin's config stands. */
export interface Origin {
  readonly file: string;
  /** Keys from the top of the file. */
  readonly path: readonly string[];
}
