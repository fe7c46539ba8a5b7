import type { DescMessage, DescService, MessageInitShape } from "@bufbuild/protobuf";
import type { Client, Service } from "#rpc";

/** Facts of one field, RFC 6901, that Init hands back for bad config. */
export interface FieldProblem {
  readonly pointer: string;
  readonly message: string;
}

/** Structured log lines; facts are fields. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface Peer {
  readonly type: string;
  readonly id: string;
  readonly package: string;
  readonly address: string;
  readonly serves: readonly string[];
  readonly capabilities: readonly string[];
  readonly exports: Readonly<Record<string, string>>;
  readonly state: "absent" | "down" | "ready" | "on-demand" | "skipped" | "failed";
  readonly generation: bigint;
}

/** The packages this one may call, kept current. */
export interface Peers {
  /** Every peer plugin, as last told by the host. */
  list(): readonly Peer[];
  /** Peers of a type, or the one with that `type.id`. */
  find(typeOrUri: string): readonly Peer[];
  /**
   * Typed client of the peer with that `type.id` (or the first of that type). Calls wait for the peer while it
   * is away, within their deadline. Channels are shared and owned by the process.
   * Throws not-found when the manifest names no such peer.
   */
  client<S extends DescService>(service: S, typeOrUri: string): Client<S>;
  /** The same connection for serialized messages. */
  channel(typeOrUri: string): import("#rpc").Channel;
  /** Called with the new set after each change, until `signal` aborts. */
  watch(listener: (peers: readonly Peer[]) => void, signal?: AbortSignal): void;
}

export interface Events {
  /**
   * Publishes a containerd event. Resolves when it is in the spool; order is kept, and while `events` is away
   * up to 10,000 wait with their first timestamp (the oldest are dropped and counted).
   */
  publish<D extends DescMessage>(
    namespace: string,
    topic: string,
    schema: D,
    event: MessageInitShape<D>,
  ): Promise<void>;
}

/** How a plugin is, for status; it goes on taking calls. */
export interface Health {
  /** Shown as unhealthy until a later report says otherwise. */
  readonly degraded: boolean;
  /** What is wrong; at most 1 KiB. */
  readonly status: string;
}

export interface PluginContext<Config = Record<string, unknown>> {
  readonly package: string;
  readonly type: string;
  readonly id: string;
  readonly generation: bigint;
  /** Checked against the plugin's schema, defaults filled in. */
  readonly config: Config;
  /** Persistent folder `<root>/<type.id>`; exists, 0700. */
  readonly root: string;
  /** Volatile folder `<state>/<type.id>`; exists, 0700. */
  readonly state: string;
  readonly log: Log;
  readonly peers: Peers;
  readonly events: Events;
  /** Says how this plugin is; see Health. Rejects when the host is away. */
  report(health: Health): Promise<void>;
  /** Aborted when the package stops, after the drain. */
  readonly signal: AbortSignal;
  /** The inherited ttrpc listener, where the manifest says `listen: [ttrpc]`. */
  readonly ttrpcListenerFd: number | undefined;
}

export interface PluginOffer {
  readonly services?: readonly Service[];
  readonly exports?: Readonly<Record<string, string>>;
  readonly capabilities?: readonly string[];
  readonly platforms?: readonly { os: string; architecture: string; variant?: string }[];
  /** Prometheus text. */
  readonly metrics?: () => string | Promise<string>;
  /** Applies changed config in place; absent: the package is restarted. Throw to reject. */
  readonly reconfigure?: (config: Record<string, unknown>, options: { dryRun: boolean }) => Promise<void>;
  /** Ends endless calls so that the drain can finish; called when it begins. */
  readonly drain?: () => void | Promise<void>;
  /** Releases what Init opened; called last. */
  readonly close?: () => void | Promise<void>;
}

export interface PluginDefinition<Config = Record<string, unknown>> {
  /**
   * Opens the plugin. Throw SkipPlugin when it does not fit this machine; any other error fails it
   * ("unavailable" and "aborted" are tried again).
   */
  init(context: PluginContext<Config>): Promise<PluginOffer> | PluginOffer;
}

/** What listings show of a plugin. */
export type ShownOffer = Pick<PluginOffer, "exports" | "capabilities" | "platforms">;

/** Thrown by `init`: not for this machine, which is no error. Listings show what is said of it all the same. */
export class SkipPlugin extends Error {
  override readonly name = "SkipPlugin";
  readonly shown: ShownOffer;
  constructor(message: string, shown: ShownOffer = {}) {
    super(message);
    this.shown = shown;
  }
}

/** Thrown by `init` for config that passes the schema but not the plugin's own checks. */
export class BadConfig extends Error {
  override readonly name = "BadConfig";
  readonly fields: readonly FieldProblem[];
  constructor(message: string, fields: readonly FieldProblem[] = []) {
    super(message);
    this.fields = fields;
  }
}

/** Definitions by `type.id`, inited in the manifest's order. */
export type PluginModule =
  | { readonly definitions: "one"; readonly one: PluginDefinition<never> }
  | { readonly definitions: "many"; readonly many: Readonly<Record<string, PluginDefinition<never>>> };

/** A package with one plugin: the default export of its `main` module. */
export function definePlugin<Config>(definition: PluginDefinition<Config>): PluginModule {
  return { definitions: "one", one: definition };
}

/** A package with several plugins: one definition for each `type.id` of its manifest. */
export function definePlugins(definitions: Readonly<Record<string, PluginDefinition<never>>>): PluginModule {
  return { definitions: "many", many: definitions };
}
