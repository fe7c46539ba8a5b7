import { definePlugins, HostError, type PluginContext, type PluginDefinition, type Service } from "bulkhead/plugin";
import { backupService } from "./backup-service.ts";
import { readBoltConfig, type BoltConfig } from "./config.ts";
import { containersService } from "./containers-service.ts";
import { ContentBackEnd } from "./content/back-end.ts";
import type { ContentParts } from "./content/begin.ts";
import { blobsService } from "./content/blobs-service.ts";
import { contentService } from "./content/content-service.ts";
import { Removals } from "./content/removals.ts";
import { Settler } from "./content/settlement.ts";
import { openDatabase } from "./database/open.ts";
import { schedulerExports, type SchedulerConfig } from "./gc/scheduler.ts";
import { imagesService } from "./images-service.ts";
import { leasesService } from "./leases-service.ts";
import { metricsOf } from "./metrics.ts";
import { namespacesService } from "./namespaces-service.ts";
import { snapshotsService } from "./snapshots-service.ts";

/** What `io.containerd.metadata.v1.bolt` opened, for the other plugins of the package. */
let opened: ContentParts | undefined;

async function openBolt(context: PluginContext<BoltConfig>) {
  const config = readBoltConfig(context.config);
  const database = await openDatabase(context.root, {
    maxBytes: config.maxBytes,
    flushes: config.flushes,
    publish: ({ namespace, topic, schema, event }) => context.events.publish(namespace, topic, schema, event),
    onPanic(failure) {
      context.log.error("metadata database unusable, ending to open it anew", { error: failure });
      setImmediate(() => process.exit(1)); // behind the answers of this batch; the supervisor starts another
    },
  });
  const removals = Removals.open(context.state);
  const parts = { database, backEnd: new ContentBackEnd(context.peers), removals, shares: config.sharesContent };
  const settler = new Settler(parts, context.log);
  settler.start(context.peers);
  opened = parts;
  return {
    services: [backupService(database), blobsService(parts)],
    exports: { path: database.file, policy: config.sharesContent ? "shared" : "isolated" },
    metrics: () => metricsOf(database),
    async close() {
      await settler[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      removals[Symbol.dispose]();
    },
  };
}

/** A plugin that needs the database, as containerd's do: without it they fail. */
function overDatabase(services: (parts: ContentParts) => readonly Service[]): PluginDefinition {
  return {
    init() {
      if (opened === undefined) {
        throw new HostError("failed-precondition", "io.containerd.metadata.v1.bolt has not opened its database");
      }
      return { services: services(opened) };
    },
  };
}

const bolt: PluginDefinition<BoltConfig> = { init: openBolt };
const scheduler: PluginDefinition<SchedulerConfig> = {
  init: ({ config }) => ({ exports: schedulerExports(config) }),
};
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
  "io.containerd.grpc.v1.containers": overDatabase(({ database }) => [containersService(database)]),
  "io.containerd.grpc.v1.content": overDatabase((parts) => [contentService(parts)]),
  "io.containerd.grpc.v1.images": overDatabase(({ database }) => [imagesService(database)]),
  "io.containerd.grpc.v1.leases": overDatabase(({ database }) => [leasesService(database)]),
  "io.containerd.grpc.v1.namespaces": overDatabase(({ database }) => [namespacesService(database)]),
  "io.containerd.grpc.v1.snapshots": overDatabase(() => [snapshotsService()]),
});
