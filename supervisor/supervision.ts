import type { PackageCrashes } from "./crash/crash-reporter.ts";
import type { Fleet } from "./lifecycle/fleet.ts";
import { builtInPlugins, controlPackage } from "./services/built-in-plugins.ts";
import type { PackageWatch } from "./package-watch.ts";
import type { PackageView, PluginView, Supervision } from "./status.ts";
import { uriOf } from "./config/manifest.ts";

export interface SupervisionFacts {
  readonly version: string;
  readonly controlSocket: string;
  readonly epoch: number;
  readonly startedMs: number;
  /** Main socket, control's own services included. */
  readonly routes: ReadonlyMap<string, string>;
  /** type.id of every plugin in containerd's order. */
  readonly introspectionOrder: readonly string[];
}

/** The fleet and control itself, as control's services and commands see them. */
export class SupervisionView implements Supervision {
  readonly #facts: SupervisionFacts;
  readonly #fleet: Fleet;
  readonly #packageWatch: PackageWatch;
  readonly #listeners = new Set<(changed: PackageView) => void>();

  constructor(facts: SupervisionFacts, fleet: Fleet, packageWatch: PackageWatch) {
    this.#facts = facts;
    this.#fleet = fleet;
    this.#packageWatch = packageWatch;
  }

  packages(): readonly PackageView[] {
    return [this.#control(), ...this.#fleet.views()];
  }

  package(name: string): PackageView | undefined {
    if (name === controlPackage) return this.#control();
    const view = this.#fleet.runners.get(name)?.view();
    return view && { ...view, notes: [...view.notes, ...this.#packageWatch.notesOf(name)] };
  }

  introspectionOrder(): readonly { readonly package: PackageView; readonly plugin: PluginView }[] {
    const known = new Map(
      this.packages().flatMap((each) =>
        each.plugins.map((plugin) => [uriOf(plugin.declaration), { package: each, plugin }] as const),
      ),
    );
    return this.#facts.introspectionOrder.flatMap((uri) => known.get(uri) ?? []);
  }

  routes(): ReadonlyMap<string, string> {
    return this.#facts.routes;
  }

  watch(listener: (changed: PackageView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  crashes(name: string): Promise<PackageCrashes> {
    return this.#packageWatch.crashesOf(name);
  }

  restart(name: string, signal: AbortSignal): Promise<void> {
    return this.#fleet.restart(name, signal);
  }

  /** Tells the watchers of a change. */
  changed(view: PackageView): void {
    for (const listener of this.#listeners) listener(view);
  }

  #control(): PackageView {
    const { version, controlSocket, epoch, startedMs } = this.#facts;
    const plugins = builtInPlugins.map((declaration) => ({
      declaration,
      state: "ready" as const,
      reason: "",
      code: 0,
      exports: {},
      capabilities: [],
      platforms: [],
    }));
    return {
      name: controlPackage,
      version,
      tier: "built-in",
      folder: "",
      plugins,
      state: "ready",
      reason: "",
      pid: process.pid,
      generation: epoch,
      restarts: Math.max(0, epoch - 1),
      sinceMs: startedMs,
      socket: controlSocket,
      logFile: "",
      lastExit: undefined,
      nextAttemptMs: undefined,
      notes: [],
      config: {},
    };
  }
}
