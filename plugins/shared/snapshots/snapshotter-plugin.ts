import { mkdirSync } from "node:fs";
import { definePlugin, type PluginContext, type PluginModule } from "bulkhead/plugin";
import { TreeWorkers } from "../trees/tree-workers.ts";
import type { Driver } from "./driver.ts";
import { hostPlatform } from "./host-platform.ts";
import { openRecords } from "./open-records.ts";
import { snapshotsService } from "./service.ts";
import { Snapshotter } from "./snapshotter.ts";

/** What every snapshotter can be told. */
export interface RootConfig {
  /** Instead of the plugin's own root; "" or missing: that. */
  readonly root_path?: string;
}

export interface DriverOptions<Config> {
  readonly root: string;
  readonly config: Config;
  readonly trees: TreeWorkers;
}

export interface SnapshotterDefinition<Config extends RootConfig> {
  /** Introspection shows the root, as it does for most of containerd's. */
  readonly exportsRoot: boolean;
  /** Looks at the root before anything is made below it; throws what the plugin is skipped or failed with. */
  check?(root: string): void;
  /** Makes the driver, which is given back at the end. */
  open(options: DriverOptions<Config>): Driver & AsyncDisposable;
}

/** A package with one snapshotter. */
export function snapshotterPlugin<Config extends RootConfig>(definition: SnapshotterDefinition<Config>): PluginModule {
  return definePlugin<Config>({
    async init(context) {
      const { config, log } = context;
      const root = config.root_path === undefined || config.root_path === "" ? context.root : config.root_path;
      await using stack = new AsyncDisposableStack();
      mkdirSync(root, { recursive: true, mode: 0o700 });
      definition.check?.(root);
      const database = stack.use(await openRecords(root, { onPanic: (failure) => endProcess(context, failure) }));
      const trees = stack.use(new TreeWorkers());
      const driver = stack.use(definition.open({ root, config, trees }));
      const snapshotter = new Snapshotter({ database, driver, log });
      stack.use(sweepAtStart(snapshotter, context));
      const owned = stack.move();
      return {
        services: [snapshotsService(snapshotter)],
        platforms: [hostPlatform()],
        ...(definition.exportsRoot && { exports: { root } }),
        close: () => owned.disposeAsync(),
      };
    },
  });
}

function endProcess<Config>({ log }: PluginContext<Config>, error: Error): void {
  log.error("snapshot metadata unusable, ending to open it anew", { error });
  setImmediate(() => process.exit(1)); // behind the answers of this batch; the supervisor starts another
}

/** Takes away what an earlier process left; calls need not wait for it. */
function sweepAtStart<Config>(snapshotter: Snapshotter, { log }: PluginContext<Config>): AsyncDisposable {
  const done = snapshotter.cleanup().catch((error: unknown) => {
    log.warn("rubbish of an earlier process left for the next cleanup", { error });
  });
  return { [Symbol.asyncDispose]: () => done };
}
