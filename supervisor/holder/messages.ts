/**
 * What holder and its two children say to one another: JSON lines on a socketpair each child inherits as
 * descriptor `channelFd`. Descriptors travel beside it (`SCM_RIGHTS`) on the router's second socketpair.
 */

/** Descriptor of the channel to the holder in control and router. */
export const channelFd = 3;
/** Router: descriptors are received here, one message a descriptor, sent before the line that announces it. */
export const descriptorFd = 4;
/** Router: the main listener. */
export const mainListenerFd = 5;
/** Router: the ttrpc listener (held, never accepted). */
export const ttrpcListenerFd = 6;
/** Control: the ttrpc listener, passed on to the package that asks for it. */
export const controlTtrpcFd = 4;

/** First argument of control and router: how they were started. */
export interface StartupFacts {
  readonly epoch: number;
  readonly state: string;
  readonly holderPid: number;
}

export type HolderToControl =
  /** Sent first; the checked config, as `serializeConfig` made it. */
  | {
      readonly type: "start";
      readonly epoch: number;
      readonly config: unknown;
      readonly bootStartedAtMs: number;
      /** The daemon was up before: a required plugin that is not there ends nothing. */
      readonly restarted: boolean;
    }
  /** An ordered stop is wanted; control answers `stopped` and ends. Sent again with `hasten`: no more graces. */
  | { readonly type: "stop"; readonly reason: string; readonly hasten?: boolean }
  | { readonly type: "dump" }
  | { readonly type: "ping"; readonly id: number }
  /** A (new) router accepts on `<state>/router.sock`. */
  | { readonly type: "router"; readonly pid: number }
  | { readonly type: "host-socket"; readonly package: string; readonly path: string; readonly error?: string };

export type ControlToHolder =
  /** Booted. `stopTimeoutMs`: what an ordered stop may take at most, the graces of its longest chain of packages. */
  | { readonly type: "ready"; readonly stopTimeoutMs?: number }
  | { readonly type: "pong"; readonly id: number }
  /** Bind `<state>/host/<package>.sock` and hand it to every router; answered by `host-socket`. */
  | {
      readonly type: "bind-host-socket";
      readonly package: string;
      readonly path: string;
      /** Who may connect (0600); left out: the daemon's user. */
      readonly uid?: number;
      readonly gid?: number;
    }
  /** Everything is stopped. Unasked (a required plugin failed): the whole daemon ends with that code. */
  | { readonly type: "stopped"; readonly exitCode: number };

/** Paths of the two listeners that the router holds. */
export interface ListenerAddresses {
  readonly main: string;
  readonly ttrpc: string;
}

export type HolderToRouter =
  | { readonly type: "start"; readonly epoch: number; readonly state: string; readonly addresses: ListenerAddresses }
  /** One descriptor waits on `descriptorFd`: a listener for that package's host socket. */
  | { readonly type: "host-listener"; readonly package: string; readonly path: string }
  /** GOAWAY, drain, end. */
  | { readonly type: "stop"; readonly timeoutMs: number }
  | { readonly type: "ping"; readonly id: number };

export type RouterToHolder =
  | { readonly type: "ready" }
  | { readonly type: "pong"; readonly id: number }
  /**
   * To a holder that has taken this router over: the listener of that package's host socket waits on the descriptor
   * socket. All of them come before `ready`.
   */
  | { readonly type: "host-listener"; readonly package: string; readonly path: string };

/**
 * A router outlives its holder. The next one connects to `<state>/router.sock`, is told by `hello` what lives there,
 * and sends `take-over`; it is answered with four descriptors in this order, each with one byte of data.
 */
export const takeOverDescriptors = ["channel", "descriptors", "main", "ttrpc"] as const;
