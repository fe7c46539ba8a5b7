/** Config of `io.containerd.runtime.v2.task`, defaults filled in by the host. */
export interface RuntimeConfig {
  readonly platforms: readonly string[];
  readonly sched_core: boolean;
  /** Milliseconds. */
  readonly start_timeout_ms: number;
  readonly daemon: DaemonFacts;
}

/** What the host fills in of itself. */
export interface DaemonFacts {
  /** Path of the main socket. */
  readonly address: string;
  readonly ttrpc_address: string;
  /** Absolute path of the daemon's program. */
  readonly program: string;
  /** Milliseconds by containerd's timeout key. */
  readonly timeouts: Readonly<Record<string, number>>;
}

/** Config of `io.containerd.internal.v1.opt`. */
export interface OptConfig {
  readonly path: string;
}

/** Config of `io.containerd.runtime.v1.linux`. */
export interface LegacyRuntimeConfig {
  /** Name or path of its shim. */
  readonly shim: string;
  /** Name or path of the runtime that it drives. */
  readonly runtime: string;
  /** Where that keeps its state; empty: its usual place. */
  readonly runtime_root: string;
  readonly no_shim: boolean;
  readonly shim_debug: boolean;
}

/** What a timeout key means that nobody has set, milliseconds. */
const defaultTimeoutMs = 1000;

/** A timeout of containerd's, milliseconds. */
export function timeoutOf(daemon: DaemonFacts, key: string): number {
  return daemon.timeouts[`io.containerd.timeout.${key}`] ?? defaultTimeoutMs;
}
