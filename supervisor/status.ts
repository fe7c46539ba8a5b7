import type { PackageCrashes } from "./crash/crash-reporter.ts";
import type { PluginDeclaration, Tier } from "./config/manifest.ts";
import type { StateName } from "./lifecycle/states.ts";

/** One plugin's share of its package's status; immutable. */
export interface PluginView {
  readonly declaration: PluginDeclaration;
  /** The package's state, unless Init said skip or failure of this plugin. */
  readonly state: StateName;
  readonly reason: string;
  /** google.rpc code of a failed or skipped plugin; 0: none. */
  readonly code: number;
  readonly exports: Readonly<Record<string, string>>;
  readonly capabilities: readonly string[];
  readonly platforms: readonly { readonly os: string; readonly architecture: string; readonly variant: string }[];
}

/** What status commands show of one package; immutable. */
export interface PackageView {
  readonly name: string;
  readonly version: string;
  readonly tier: Tier | "built-in";
  readonly folder: string;
  readonly plugins: readonly PluginView[];
  readonly state: StateName;
  readonly reason: string;
  /** 0: no process. */
  readonly pid: number;
  readonly generation: number;
  readonly restarts: number;
  readonly sinceMs: number;
  readonly socket: string;
  readonly logFile: string;
  readonly lastExit:
    | {
        /** -1: ended by a signal, or not known. */
        readonly code: number;
        readonly signal: string;
        /** The kernel killed it at its memory limit. */
        readonly oomKilled: boolean;
        readonly atMs: number;
      }
    | undefined;
  readonly nextAttemptMs: number | undefined;
  readonly notes: readonly string[];
  /** Config by type.id, secrets hidden. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** What control's services and commands may ask of supervision. */
export interface Supervision {
  /** Control's own package first, else boot order. */
  packages(): readonly PackageView[];
  package(name: string): PackageView | undefined;
  /** Plugins in containerd's order (its depth-first walk over what it prints as requires), control's included. */
  introspectionOrder(): readonly { readonly package: PackageView; readonly plugin: PluginView }[];
  /** Services routed on the main socket, and the package that keeps each. */
  routes(): ReadonlyMap<string, string>;
  /** Called after each change of any package, until the returned function is called. */
  watch(listener: (changed: PackageView) => void): () => void;
  /** Crash reports that are kept of a package. */
  crashes(name: string): Promise<PackageCrashes>;
  /** Stops in order, starts the next generation; resolves when it is ready, rejects with why not. */
  restart(name: string, signal: AbortSignal): Promise<void>;
}
