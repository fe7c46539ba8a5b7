import type { PluginDeclaration } from "../../../supervisor/config/manifest.ts";
import { builtInPlugins, controlPackage, controlRoutes } from "../../../supervisor/services/built-in-plugins.ts";
import type { PackageView, PluginView, Supervision } from "../../../supervisor/status.ts";

/** A declaration with nothing but what the test says. */
export function declaration(type: string, id: string, more: Partial<PluginDeclaration> = {}): PluginDeclaration {
  return {
    type,
    id,
    serves: more.routes ?? [],
    routes: [],
    requires: [],
    wants: [],
    calls: [],
    capabilities: [],
    exports: {},
    platforms: [],
    config: undefined,
    shows: undefined,
    ...more,
  };
}

/** A plugin's view; ready unless the test says otherwise. */
export function plugin(declared: PluginDeclaration, more: Partial<PluginView> = {}): PluginView {
  return {
    declaration: declared,
    state: "ready",
    reason: "",
    code: 0,
    exports: {},
    capabilities: [],
    platforms: [],
    ...more,
  };
}

/** A package's view; a ready native one of generation 1 unless the test says otherwise. */
export function packageView(
  name: string,
  plugins: readonly PluginView[],
  more: Partial<PackageView> = {},
): PackageView {
  return {
    name,
    version: "1.0.0",
    tier: "native",
    folder: `/packages/${name}`,
    plugins,
    state: "ready",
    reason: "",
    pid: 100,
    generation: 1,
    restarts: 0,
    sinceMs: 1_700_000_000_000,
    socket: "",
    logFile: "",
    lastExit: undefined,
    nextAttemptMs: undefined,
    notes: [],
    config: {},
    ...more,
  };
}

/** Supervision over plain objects: control's own package, then those of the test. */
export class SampleSupervision implements Supervision {
  readonly restarted: string[] = [];
  restartFailure: Error | undefined;
  readonly #views = new Map<string, PackageView>();
  #unwatched: (() => void) | undefined;
  readonly #listeners = new Set<(changed: PackageView) => void>();

  constructor(...views: readonly PackageView[]) {
    const own = builtInPlugins.map((declared) => plugin(declared));
    const control = packageView(controlPackage, own, { tier: "built-in", folder: "", pid: process.pid });
    for (const view of [control, ...views]) this.#views.set(view.name, view);
  }

  /** Changes a package and tells the watchers. A given state is its plugins' too. */
  change(name: string, change: Partial<PackageView>): void {
    const before = this.#views.get(name);
    if (before === undefined) throw new Error(`no package ${name}`);
    const { state } = change;
    const plugins = state === undefined ? before.plugins : before.plugins.map((view) => ({ ...view, state }));
    const changed = { ...before, plugins, ...change };
    this.#views.set(name, changed);
    for (const listener of this.#listeners) listener(changed);
  }

  get watchers(): number {
    return this.#listeners.size;
  }

  packages(): PackageView[] {
    return [...this.#views.values()];
  }

  package(name: string): PackageView | undefined {
    return this.#views.get(name);
  }

  introspectionOrder() {
    return this.packages().flatMap((view) => view.plugins.map((each) => ({ package: view, plugin: each })));
  }

  routes(): ReadonlyMap<string, string> {
    const own = controlRoutes.map((service): [string, string] => [service, controlPackage]);
    const others = this.packages().flatMap((view) =>
      view.plugins.flatMap((each) => each.declaration.routes.map((service): [string, string] => [service, view.name])),
    );
    return new Map([...others, ...own]);
  }

  watch(listener: (changed: PackageView) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#unwatched?.();
    };
  }

  /** Calls `listener` once nobody watches any more, or at the next time that is so. */
  whenUnwatched(listener: () => void): void {
    if (this.#listeners.size === 0) listener();
    else this.#unwatched = listener;
  }

  crashes() {
    return Promise.resolve({ files: [], last: undefined });
  }

  async restart(name: string): Promise<void> {
    if (this.restartFailure !== undefined) throw this.restartFailure;
    this.restarted.push(name);
    const before = this.#views.get(name);
    this.change(name, { generation: (before?.generation ?? 0) + 1, restarts: (before?.restarts ?? 0) + 1 });
  }
}
