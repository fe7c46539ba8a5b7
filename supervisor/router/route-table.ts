import type { ListenerAddresses } from "../holder/messages.ts";
import type { ConfiguredLimits } from "./limits.ts";

/**
 * What control tells the router: an immutable snapshot, replaced whole. Sent as one JSON line on
 * `<state>/router.sock`, kept in `<state>/routes` for a router that starts while control is away.
 */
export interface RouteTable {
  /** Rises with each control; a table of a lower epoch is dropped. */
  readonly epoch: number;
  /** Rises with each table of one epoch. */
  readonly seq: number;
  /** Control is still booting: calls for services of no row wait (at most `bootWaitMs`). */
  readonly booting: boolean;
  readonly bootWaitMs: number;
  /** Every package by name, control itself included. */
  readonly packages: Readonly<Record<string, PackageRow>>;
  /** Main socket: full service name, or a method's path, to the package that keeps the route. */
  readonly routes: Readonly<Record<string, string>>;
  /** Main socket: other packages that route the service too, by `bulkhead-plugin` value (package and type.id). */
  readonly choices: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Services of control's socket that callers of host sockets reach (bulkhead.host.v1.Host). */
  readonly hostServices: Readonly<Record<string, string>>;
  readonly limits: RouterLimits;
}

export interface RouterLimits {
  /** Bytes of one message, each way. */
  readonly maxRecvMessageBytes: number;
  readonly maxSendMessageBytes: number;
  /** The router's own bounds; those that are missing have their defaults. */
  readonly router?: Partial<ConfiguredLimits>;
}

export interface PackageRow {
  readonly generation: number;
  /** Socket of the ready generation; undefined: none is ready. */
  readonly socket: string | undefined;
  readonly state: RouteState;
  /** Shown in refusals; may be empty. */
  readonly reason: string;
  /** Name of the lifecycle state, for google.rpc.ErrorInfo. */
  readonly lifecycle: string;
  readonly parking: {
    readonly policy: "park" | "refuse";
    readonly calls: number;
    readonly bytes: number;
    readonly timeMs: number;
  };
  /** Policies by full method path. */
  readonly methods: Readonly<
    Record<string, { readonly idempotent?: boolean; readonly unbounded?: boolean; readonly timeoutMs?: number }>
  >;
  /** Host socket: what this package may call, full service name to package. Several: "choices" by type.id. */
  readonly calls: Readonly<Record<string, HostRoute>>;
  /** Packages this one may redirect calls to. */
  readonly redirects: readonly string[];
  /** Full paths of the methods it may redirect; undefined: any. */
  readonly redirectMethods?: readonly string[] | undefined;
  /** Services it serves on its own socket. */
  readonly serves: readonly string[];
}

export interface HostRoute {
  readonly package: string;
  readonly choices: Readonly<Record<string, string>>;
}

/**
 * open: calls are handed over. parked: they wait, by policy. closed: they fail at once with UNAVAILABLE.
 */
export type RouteState = "open" | "parked" | "closed";

/** Lines control sends on the router's socket. */
export type ControlToRouter =
  | { readonly type: "table"; readonly table: RouteTable }
  /** Let in-flight calls to that generation finish; answered by `drained`. */
  | { readonly type: "drain"; readonly package: string; readonly generation: number; readonly timeoutMs: number }
  /** End the connections to that generation, with the calls that hang there. */
  | { readonly type: "cut"; readonly package: string; readonly generation: number; readonly reason: string }
  | { readonly type: "counters"; readonly id: number }
  /** Which calls that generation has, or had when its connections broke; answered by `in-flight`. */
  | { readonly type: "in-flight"; readonly id: number; readonly package: string; readonly generation: number };

/** The only line of a new holder, on a connection of its own. */
export interface TakeOver {
  readonly type: "take-over";
}

/** Lines the router sends to control. */
export type RouterToControl =
  | {
      readonly type: "hello";
      readonly pid: number;
      readonly epoch: number;
      readonly seq: number;
      /** What it accepts on; undefined: its holder has not said. */
      readonly addresses: ListenerAddresses | undefined;
    }
  | { readonly type: "applied"; readonly epoch: number; readonly seq: number }
  | { readonly type: "drained"; readonly package: string; readonly generation: number; readonly openCalls: number }
  /** The connection to a generation broke or could not be made. */
  | { readonly type: "lost"; readonly package: string; readonly generation: number; readonly reason: string }
  | { readonly type: "counters"; readonly id: number; readonly counters: RouterCounters }
  | ({ readonly type: "in-flight"; readonly id: number } & CallsInFlight);

/** Calls that a generation has, or had at its end. */
export interface CallsInFlight {
  readonly openCalls: number;
  /** The oldest of them, oldest first. */
  readonly calls: readonly CallInFlight[];
}

export interface CallInFlight {
  /** Full path. */
  readonly method: string;
  /** Since it came, milliseconds. */
  readonly ageMs: number;
  /** Package name, or `uid:<n>`. */
  readonly caller: string;
}

export interface RouterCounters {
  /** Calls by package and "/service/method". */
  readonly methods: readonly {
    readonly package: string;
    readonly method: string;
    readonly started: number;
    /** By gRPC code. */
    readonly handled: Readonly<Record<number, number>>;
    /** In flight, parked ones included. */
    readonly open: number;
    /** Waiting for their package. */
    readonly parked: number;
    /** DATA from clients and from packages, bytes, framing of messages included. */
    readonly requestBytes: number;
    readonly answerBytes: number;
    /** Sum of the time that ended calls took, milliseconds. */
    readonly totalMs: number;
    /** Of ended calls, how many took as long: by `latencyBoundsMs`, and one more for those over its last. */
    readonly tookBuckets: readonly number[];
  }[];
  readonly openCalls: number;
  readonly parkedCalls: number;
  readonly connections: number;
}
