import {
  definePlugins,
  HostError,
  type PluginContext,
  type PluginDefinition,
  type PluginOffer,
  type Service,
} from "bulkhead/plugin";
import { backupService } from "./backup-service.ts";
import { readBoltConfig, type BoltConfig } from "./config.ts";
import { containersService } from "./containers-service.ts";
import { ContentBackEnd } from "./content/back-end.ts";
import type { ContentParts } from "./content/begin.ts";
import { BlobLosses } from "./content/blob-losses.ts";
import { blobsService } from "./content/blobs-service.ts";
import { contentService } from "./content/content-service.ts";
import { Settler } from "./content/settlement.ts";
import { openDatabase } from "./database/open.ts";
import { Collector } from "./gc/collector.ts";
import { readSchedule, schedulerExports, type SchedulerConfig } from "./gc/config.ts";
import { noGarbage, type Garbage } from "./gc/garbage.ts";
import { OwnWrites } from "./gc/own-writes.ts";
import { Removals } from "./gc/removals.ts";
import { startScheduler } from "./gc/scheduler.ts";
import { imagesService } from "./images-service.ts";
import { leasesService } from "./leases-service.ts";
import { metricsOf } from "./metrics.ts";
import { namespacesService } from "./namespaces-service.ts";
import { CallWatch } from "./snapshots/call-watch.ts";
import { openSnapshots, type SnapshotParts } from "./snapshots/parts.ts";
import { SnapshotSettler } from "./snapshots/settler.ts";
import { snapshotsService } from "./snapshots-service.ts";
import { ToldEvents } from "./told-events.ts";

/** What `io.containerd.metadata.v1.bolt` opened, for the other plugins of the package. */
let opened: MetadataParts | undefined;

interface MetadataParts {
  readonly content: ContentParts;
  readonly snapshots: SnapshotParts;
  readonly collector: Collector;
  readonly own: OwnWrites;
  garbage: Garbage;
}

async function openBolt(context: PluginContext<BoltConfig>) {
  const config = readBoltConfig(context.config);
  const told = new ToldEvents();
  const database = await openDatabase(context.root, {
    maxBytes: config.maxBytes,
    flushes: config.flushes,
    publish: ({ namespace, topic, schema, event }) =>
      told.pass(context.events.publish(namespace, topic, schema, event)),
    onPanic(failure) {
      context.log.error("metadata database unusable, ending to open it anew", { error: failure });
      setImmediate(() => process.exit(1)); // behind the answers of this batch; the supervisor starts another
    },
  });
  const owned = new AsyncDisposableStack();
  owned.use(database);
  const { log, peers } = context;
  const removals = new Removals();
  const losses = owned.use(BlobLosses.open(context.state));
  database.onChanges((tx) => losses.hear(tx.written));
  const content = { database, backEnd: new ContentBackEnd(peers), shares: config.sharesContent, removals, losses };
  const snapshots = openSnapshots(peers, database, owned.use(hangingReport(context)), { removals });
  const settlers = [owned.use(new Settler(content, log)), owned.use(new SnapshotSettler(snapshots, log))];
  for (const settler of settlers) settler.start(peers);
  const settleStale = (): Promise<unknown> => Promise.all(settlers.map((settler) => settler.settleStale()));
  const own = new OwnWrites();
  const collector = owned.use(new Collector({ content, snapshots, removals, own, log, settleStale }));
  opened = { content, snapshots, collector, own, garbage: noGarbage };
  return {
    services: [backupService(database), blobsService(content)],
    exports: { path: database.file, policy: config.sharesContent ? "shared" : "isolated" },
    metrics: () => metricsOf(database),
    close: () => owned.disposeAsync(),
  };
}

/** A snapshotter that hangs makes this package degraded in status, with its name. */
function hangingReport(context: PluginContext<BoltConfig>): CallWatch {
  return new CallWatch((status) => {
    context.report({ degraded: status !== "", status }).catch((error: unknown) => {
      context.log.warn("status not reported", { status, error: String(error) });
    });
  });
}

/** Without the database there is nothing to collect, and it is the others that say so. */
function openScheduler({ config, log }: PluginContext<SchedulerConfig>): PluginOffer {
  if (opened === undefined) return { exports: schedulerExports(config) };
  const { collector, content, own } = opened;
  const running = startScheduler(readSchedule(config), { collector, database: content.database, own, log });
  opened.garbage = running;
  return { exports: schedulerExports(config), close: () => running[Symbol.asyncDispose]() };
}

function failNotOpened(): never {
  throw new HostError("failed-precondition", "io.containerd.metadata.v1.bolt has not opened its database");
}

/** A plugin that needs the database, as containerd's do: without it they fail. */
function overDatabase(services: (parts: MetadataParts) => readonly Service[]): PluginDefinition {
  return {
    init() {
      return { services: services(opened ?? failNotOpened()) };
    },
  };
}

const bolt: PluginDefinition<BoltConfig> = { init: openBolt };
const scheduler: PluginDefinition<SchedulerConfig> = { init: openScheduler };
const serviceOnly = overDatabase(() => []);

export default definePlugins({
  "io.containerd.metadata.v1.bolt": bolt,
  "io.containerd.gc.v1.scheduler": scheduler,
  "io.containerd.service.v1.containers-service": serviceOnly,
  "io.containerd.service.v1.content-service": serviceOnly,
  "io.containerd.service.v1.images-service": serviceOnly,
  "io.containerd.service.v1.leases-service": serviceOnly,
  "io.containerd.service.v1.namespaces-service": serviceOnly,
  "io.containerd.service.v1.snapshots-service": serviceOnly,
  "io.containerd.grpc.v1.containers": overDatabase(({ content }) => [containersService(content.database)]),
  "io.containerd.grpc.v1.content": overDatabase(({ content }) => [contentService(content)]),
  "io.containerd.grpc.v1.images": overDatabase(({ content, garbage }) => [imagesService(content.database, garbage)]),
  "io.containerd.grpc.v1.leases": overDatabase(({ content, garbage }) => [leasesService(content.database, garbage)]),
  "io.containerd.grpc.v1.namespaces": overDatabase(({ content }) => [namespacesService(content.database)]),
  "io.containerd.grpc.v1.snapshots": overDatabase(({ snapshots }) => [snapshotsService(snapshots)]),
});
