import { setTimeout } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { clientOf, HostError, isHostError, type Channel, type Client, type Peer, type Peers } from "bulkhead/plugin";
import {
  InfoSchema,
  Snapshots,
  type Info,
  type MountsResponse,
  type UsageResponse,
} from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import type { BackEndCall } from "../caller.ts";
import type { CallWatch } from "./call-watch.ts";
import { findSnapshotter, waitUntilUp, type CallLimits } from "./peers.ts";

export type Mounts = MountsResponse["mounts"];
type Labels = Readonly<Record<string, string>>;

/** What a snapshot is made of: the back end's keys, and the labels that are passed on. */
export interface NewSnapshot {
  readonly key: string;
  readonly parent: string;
  readonly labels: Labels;
}

/** Methods that change nothing. */
const questions: ReadonlySet<string> = new Set(["Stat", "Mounts", "Usage"]);
/** Pause before a connection is tried again. */
const againMs = 50;

type SnapshotsClient = Client<typeof Snapshots>;
type CallOptions = NonNullable<Parameters<Channel["raw"]>[2]>;

/**
 * One snapshotter behind this package: any that serves containerd's Snapshots service. It sees keys of ours, labels
 * below `containerd.io/snapshot/`, no leases. Calls of one that is down wait a little, then throw unavailable.
 */
export class SnapshotterBackEnd {
  readonly name: string;
  readonly #peers: Peers;
  readonly #watch: CallWatch;
  readonly #limits: CallLimits;

  /** Throws invalid-argument: no name, or none that is loaded; unavailable for one that has failed. */
  constructor(peers: Peers, name: string, watch: CallWatch, limits: CallLimits) {
    this.name = name;
    this.#peers = peers;
    this.#watch = watch;
    this.#limits = limits;
    findSnapshotter(peers, name);
  }

  prepare({ key, parent, labels }: NewSnapshot, call: BackEndCall): Promise<Mounts> {
    return this.#call("Prepare", call, async (client, options) => {
      const request = { snapshotter: this.name, key, parent, labels: { ...labels } };
      return (await client.prepare(request, options)).mounts;
    });
  }

  view({ key, parent, labels }: NewSnapshot, call: BackEndCall): Promise<Mounts> {
    return this.#call("View", call, async (client, options) => {
      const request = { snapshotter: this.name, key, parent, labels: { ...labels } };
      return (await client.view(request, options)).mounts;
    });
  }

  async commit(name: string, key: string, labels: Labels, call: BackEndCall): Promise<void> {
    await this.#call("Commit", call, (client, options) =>
      client.commit({ snapshotter: this.name, name, key, labels: { ...labels } }, options),
    );
  }

  /** One that is not there is fine. Throws failed-precondition while it has children. */
  async remove(key: string, call: BackEndCall): Promise<void> {
    await this.#call("Remove", call, (client, options) =>
      ifFound(client.remove({ snapshotter: this.name, key }, options)),
    );
  }

  /** Drops what removals left; not every snapshotter offers it. */
  async cleanup(call: BackEndCall): Promise<void> {
    await this.#call("Cleanup", call, async (client, options) => {
      try {
        await client.cleanup({ snapshotter: this.name }, options);
      } catch (error) {
        if (!isHostError(error, "unimplemented")) throw error;
      }
    });
  }

  mounts(key: string, call: BackEndCall): Promise<Mounts> {
    return this.#call("Mounts", call, async (client, options) => {
      return (await client.mounts({ snapshotter: this.name, key }, options)).mounts;
    });
  }

  usage(key: string, call: BackEndCall): Promise<UsageResponse> {
    return this.#call("Usage", call, (client, options) => client.usage({ snapshotter: this.name, key }, options));
  }

  /** Throws not-found in its words. */
  stat(key: string, call: BackEndCall): Promise<Info> {
    return this.#call("Stat", call, async (client, options) => {
      const { info } = await client.stat({ snapshotter: this.name, key }, options);
      return info ?? create(InfoSchema, { name: key });
    });
  }

  /** The same; undefined: it has none. */
  find(key: string, call: BackEndCall): Promise<Info | undefined> {
    return ifFound(this.stat(key, call));
  }

  update(key: string, labels: Labels, paths: readonly string[], call: BackEndCall): Promise<Info> {
    return this.#call("Update", call, async (client, options) => {
      const updateMask = paths.length === 0 ? {} : { updateMask: { paths: [...paths] } };
      const request = { snapshotter: this.name, info: { name: key, labels: { ...labels } }, ...updateMask };
      const { info } = await client.update(request, options);
      return info ?? create(InfoSchema, { name: key });
    });
  }

  /** Everything it has that passes the filters, in blocks. */
  async *list(filters: readonly string[], call: BackEndCall): AsyncGenerator<Info[], void, undefined> {
    const client = await this.#client(call);
    using watched = this.#watch.begin(this.name, "List");
    try {
      for await (const { info } of client.list({ snapshotter: this.name, filters: [...filters] }, optionsOf(call))) {
        yield info;
      }
    } catch (error) {
      throw watched.failure(error);
    }
  }

  async #call<T>(
    method: string,
    call: BackEndCall,
    send: (client: SnapshotsClient, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    using watched = this.#watch.begin(this.name, method);
    const limit = Date.now() + this.#limits.callMs;
    const options = optionsOf({ ...call, deadlineMs: Math.min(call.deadlineMs ?? limit, limit) });
    const patience = Date.now() + this.#limits.upMs;
    for (;;) {
      const client = await this.#client(call);
      try {
        return await send(client, options);
      } catch (error) {
        // It ended a moment ago, and the host's word of that is still on its way. A socket that is about to go takes
        // connections, too, so what only asks is asked again whatever became of its connection.
        const again = isUnconnected(error) || (questions.has(method) && isHostError(error, "unavailable"));
        if (!again || Date.now() > patience) throw watched.failure(error);
        await setTimeout(againMs, undefined, { signal: call.signal });
      }
    }
  }

  async #client({ signal }: BackEndCall): Promise<SnapshotsClient> {
    const peer: Peer = await waitUntilUp(this.#peers, this.name, this.#limits.upMs, signal);
    return clientOf(Snapshots, this.#peers.channel(`${peer.type}.${peer.id}`));
  }
}

/** A snapshotter that is away is waited for here, not by the channel, which would wait for ever. */
function optionsOf({ namespace, signal, deadlineMs }: BackEndCall): CallOptions {
  return { signal, deadlineMs, waitForReady: false, metadata: { [metadataKeys.namespace]: namespace } };
}

async function ifFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isHostError(error, "not-found")) return undefined;
    throw error;
  }
}

/** Nothing was sent: there was nobody to connect to. */
function isUnconnected(error: unknown): boolean {
  if (!isHostError(error, "unavailable") || !(error.cause instanceof Error)) return false;
  return ["ECONNREFUSED", "ENOENT"].includes((error.cause as NodeJS.ErrnoException).code ?? "");
}

/** Whether an error leaves open what the snapshotter did. */
export function leavesOpen(error: unknown): boolean {
  return !isHostError(error) || unknownOutcomes.has(error.kind);
}

const unknownOutcomes: ReadonlySet<HostError["kind"]> = new Set([
  "unavailable",
  "canceled",
  "deadline-exceeded",
  "unknown",
  "internal",
]);
