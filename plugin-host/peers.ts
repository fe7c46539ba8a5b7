import type { DescService, MessageInitShape } from "@bufbuild/protobuf";
import { clientOf, connect, type Channel, type Client, type ConnectOptions } from "#rpc";
import { Host, type ReportRequestSchema } from "#proto/gen/bulkhead/host/v1/host_pb.ts";
import type { Peer as WirePeer } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import type { Log, Peer, Peers } from "./define-plugin.ts";

/** By number of PeerState. */
const states: readonly Peer["state"][] = ["absent", "absent", "down", "ready", "on-demand", "skipped", "failed"];

/** The peers the host told of. Owns: one channel a peer address, the watch for changes. */
export class PeerDirectory implements Peers, AsyncDisposable {
  readonly #hostTarget: string;
  readonly #log: Log;
  readonly #options: Pick<ConnectOptions, "maxMessageBytes">;
  readonly #channels = new Map<string, Channel>();
  readonly #listeners = new Set<(peers: readonly Peer[]) => void>();
  readonly #stop = new AbortController();
  #peers: readonly Peer[] = [];
  #watching: Promise<void> | undefined;

  constructor(hostTarget: string, log: Log, options: Pick<ConnectOptions, "maxMessageBytes">) {
    this.#hostTarget = hostTarget;
    this.#log = log;
    this.#options = options;
  }

  /** Takes the full set, and from the first set on follows the host's changes. */
  replace(peers: readonly WirePeer[]): void {
    this.#peers = peers.map(peerOf);
    for (const listener of this.#listeners) listener(this.#peers);
    if (peers.length > 0) this.#watching ??= this.#follow();
  }

  list(): readonly Peer[] {
    return this.#peers;
  }

  find(typeOrUri: string): readonly Peer[] {
    return this.#peers.filter((peer) => peer.type === typeOrUri || `${peer.type}.${peer.id}` === typeOrUri);
  }

  client<S extends DescService>(service: S, typeOrUri: string): Client<S> {
    return clientOf(service, this.channel(typeOrUri));
  }

  channel(typeOrUri: string): Channel {
    const [peer] = this.find(typeOrUri);
    if (peer === undefined) {
      throw new HostError(
        "not-found",
        `no peer ${typeOrUri}: name it under requires, wants or calls of a plugin in plugin.yaml`,
      );
    }
    const channel = this.#channelTo(peer.address);
    return peer.address === this.#hostTarget ? withPlugin(channel, `${peer.type}.${peer.id}`) : channel;
  }

  /** Tells the host how a plugin of this package is. */
  async report(report: MessageInitShape<typeof ReportRequestSchema>): Promise<void> {
    await clientOf(Host, this.#channelTo(this.#hostTarget)).report(report);
  }

  watch(listener: (peers: readonly Peer[]) => void, signal?: AbortSignal): void {
    this.#listeners.add(listener);
    signal?.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new HostError("canceled", "the package is stopping"));
    for (const channel of this.#channels.values()) channel[Symbol.dispose]();
    await this.#watching;
  }

  #channelTo(address: string): Channel {
    let channel = this.#channels.get(address);
    if (channel === undefined) {
      channel = connect(address, { ...this.#options, waitForReady: true });
      this.#channels.set(address, channel);
    }
    return channel;
  }

  async #follow(): Promise<void> {
    const host = clientOf(Host, this.#channelTo(this.#hostTarget));
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const { peers } of host.watchPeers({}, { signal })) this.replace(peers);
        return;
      } catch (error) {
        if (signal.aborted) return;
        // The host is away or restarting: the next call waits until it is back, so this is no busy loop.
        this.#log.debug("peers cannot be watched", { error });
        if (error instanceof HostError && error.kind !== "unavailable") return;
      }
    }
  }
}

function peerOf(peer: WirePeer): Peer {
  const { type, id, address, serves, capabilities, exports, generation } = peer;
  return {
    type,
    id,
    package: peer.package,
    address,
    serves,
    capabilities,
    exports,
    generation,
    state: states[peer.state] ?? "absent",
  };
}

/** The host socket serves many peers: each call says which one is meant. */
function withPlugin(channel: Channel, uri: string): Channel {
  const chosen = <O extends { metadata?: Readonly<Record<string, string>> | undefined }>(options?: O) => ({
    ...options,
    metadata: { ...options?.metadata, [metadataKeys.plugin]: uri },
  });
  return {
    target: channel.target,
    raw: (method, requests, options) => channel.raw(method, requests, chosen(options)),
    unary: (method, request, options) => channel.unary(method, request, chosen(options)),
    [Symbol.dispose]: () => {},
  };
}
