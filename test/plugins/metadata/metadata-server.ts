import type { DescService } from "@bufbuild/protobuf";
import { clientOf, connect, serve, type Channel, type Client } from "#rpc";
import type { LocalStore } from "../../../plugins/content/local-store.ts";
import { backupService } from "../../../plugins/metadata/backup-service.ts";
import { containersService } from "../../../plugins/metadata/containers-service.ts";
import { ContentBackEnd } from "../../../plugins/metadata/content/back-end.ts";
import type { CommitStep, ContentParts } from "../../../plugins/metadata/content/begin.ts";
import { BlobLosses } from "../../../plugins/metadata/content/blob-losses.ts";
import { blobsService } from "../../../plugins/metadata/content/blobs-service.ts";
import { contentService } from "../../../plugins/metadata/content/content-service.ts";
import { Settler } from "../../../plugins/metadata/content/settlement.ts";
import type { Database } from "../../../plugins/shared/database/database.ts";
import { openDatabase } from "../../../plugins/metadata/database/open.ts";
import type { PendingEvent } from "../../../plugins/shared/database/transaction.ts";
import { Collector, type Collected, type CollectionStep } from "../../../plugins/metadata/gc/collector.ts";
import type { Schedule } from "../../../plugins/metadata/gc/config.ts";
import { noGarbage } from "../../../plugins/metadata/gc/garbage.ts";
import { OwnWrites } from "../../../plugins/metadata/gc/own-writes.ts";
import { Removals } from "../../../plugins/metadata/gc/removals.ts";
import { startScheduler } from "../../../plugins/metadata/gc/scheduler.ts";
import { imagesService } from "../../../plugins/metadata/images-service.ts";
import { leasesService } from "../../../plugins/metadata/leases-service.ts";
import { namespacesService } from "../../../plugins/metadata/namespaces-service.ts";
import { CallWatch } from "../../../plugins/metadata/snapshots/call-watch.ts";
import { openSnapshots, type SnapshotParts, type SnapshotStep } from "../../../plugins/metadata/snapshots/parts.ts";
import type { CallLimits } from "../../../plugins/metadata/snapshots/peers.ts";
import { SnapshotSettler } from "../../../plugins/metadata/snapshots/settler.ts";
import { snapshotsService } from "../../../plugins/metadata/snapshots-service.ts";
import type { Peer, Peers } from "bulkhead/plugin";
import { startStore } from "./store-server.ts";

export interface MetadataOptions {
  /** content_sharing_policy; default shared. */
  readonly shares?: boolean;
  /** Package of the store; "content" is redirected to. Default: someone else's. */
  readonly storePackage?: string;
  readonly maxBytes?: number;
  /** The store is served by another process on the folder's `content.sock`; `store` is then not there. */
  readonly storeElsewhere?: boolean;
  /** Snapshotters, each on the folder's `<name>.sock`; default: none. */
  readonly snapshotters?: readonly string[];
  readonly limits?: CallLimits;
  /** Collects by itself; default: when the test says so. */
  readonly schedule?: Schedule;
  readonly onStep?: (step: CommitStep | SnapshotStep | CollectionStep) => void;
}

export interface MetadataServer extends AsyncDisposable {
  readonly database: Database;
  readonly store: LocalStore;
  readonly parts: ContentParts;
  readonly snapshots: SnapshotParts;
  readonly collector: Collector;
  /** One collection, back ends included. */
  collect(): Promise<Collected>;
  /** Every event so far, in the order of its publication. */
  readonly events: PendingEvent[];
  /** To the metadata package's services. */
  readonly channel: Channel;
  client<S extends DescService>(service: S): Client<S>;
  /** What earlier processes left open is settled. */
  settle(): Promise<void>;
}

const log = { debug() {}, info() {}, warn() {}, error() {} };

/** Metadata and a content store below `folder`, each on a socket of its own. Owns: both. */
export async function startMetadata(folder: string, options: MetadataOptions = {}): Promise<MetadataServer> {
  const owned = new AsyncDisposableStack();
  const events: PendingEvent[] = [];
  const publish = (event: PendingEvent): Promise<void> => {
    events.push(event);
    return Promise.resolve();
  };
  const maxBytes = options.maxBytes ?? 2 ** 30;
  const database = owned.use(await openDatabase(`${folder}/bolt`, { maxBytes, publish }));
  const store = options.storeElsewhere === true ? undefined : owned.use(await startStore(folder)).store;
  const channel = owned.use(connect(`${folder}/metadata.sock`));
  const storeChannel = owned.use(connect(`${folder}/content.sock`));
  const removals = new Removals();
  const losses = owned.use(BlobLosses.open(folder));
  database.onChanges((tx) => losses.hear(tx.written));
  const parts: ContentParts = {
    database,
    backEnd: new ContentBackEnd(peersOf(storeChannel, options.storePackage ?? "acme-store")),
    losses,
    shares: options.shares ?? true,
    removals,
    ...(options.onStep && { onStep: options.onStep }),
  };
  const channels = new Map(
    (options.snapshotters ?? []).map((name) => [name, owned.use(connect(`${folder}/${name}.sock`))] as const),
  );
  const snapshotPeers = snapshotPeersOf(channels);
  const snapshots = openSnapshots(snapshotPeers, database, owned.use(new CallWatch(() => {})), {
    removals,
    ...(options.limits && { limits: options.limits }),
    ...(options.onStep && { onStep: options.onStep }),
  });
  const settler = owned.use(new SnapshotSettler(snapshots, log));
  const own = new OwnWrites();
  const collector = owned.use(
    new Collector({
      content: parts,
      snapshots,
      removals,
      own,
      log,
      settleStale: () => settler.settleStale(),
      ...(options.onStep && { onStep: options.onStep }),
    }),
  );
  const garbage =
    options.schedule === undefined
      ? noGarbage
      : owned.use(startScheduler(options.schedule, { collector, database, own, log }));
  const services = [
    namespacesService(database),
    imagesService(database, garbage),
    containersService(database),
    leasesService(database, garbage),
    snapshotsService(snapshots),
    contentService(parts),
    blobsService(parts),
    backupService(database),
  ];
  const server = owned.use(serve({ services }));
  await server.listen(`${folder}/metadata.sock`);
  return {
    database,
    get store() {
      if (store === undefined) throw new Error("the store is in another process");
      return store;
    },
    parts,
    snapshots,
    collector,
    async collect() {
      const collected = await collector.collect();
      await collected.emptied;
      return collected;
    },
    events,
    channel,
    client: (service) => clientOf(service, channel),
    async settle() {
      const contentSettler = new Settler(parts, log);
      contentSettler.start(peersOf(storeChannel, "acme-store"));
      await contentSettler.settled;
      await contentSettler[Symbol.asyncDispose]();
      settler.start(snapshotPeers);
      await settler.settled();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function peerOf(type: string, id: string, packageName: string, channel: Channel): Peer {
  return {
    type,
    id,
    package: packageName,
    address: channel.target,
    serves: [],
    capabilities: [],
    exports: {},
    state: "ready",
    generation: 1n,
  };
}

function peersOf(channel: Channel, storePackage: string): Peers {
  const peer = peerOf("io.containerd.content.v1", "content", storePackage, channel);
  return {
    list: () => [peer],
    find: () => [peer],
    client: (service) => clientOf(service, channel),
    channel: () => channel,
    watch: () => {},
  };
}

function snapshotPeersOf(channels: ReadonlyMap<string, Channel>): Peers {
  const peers = Array.from(channels, ([name, channel]) => peerOf("io.containerd.snapshotter.v1", name, name, channel));
  const channelOf = (uri: string): Channel => {
    const [, channel] = [...channels].find(([name]) => uri.endsWith(`.${name}`)) ?? [];
    if (channel === undefined) throw new Error(`no peer ${uri}`);
    return channel;
  };
  return {
    list: () => peers,
    find: (wanted) => peers.filter(({ type, id }) => wanted === type || wanted === `${type}.${id}`),
    client: (service, uri) => clientOf(service, channelOf(uri)),
    channel: channelOf,
    watch: () => {},
  };
}

/** Call options of a client in a namespace. */
export function inNamespace(namespace: string, lease?: string) {
  return {
    metadata: { "containerd-namespace": namespace, ...(lease !== undefined && { "containerd-lease": lease }) },
  };
}
