/**
 * Lifecycle of a package. Wanted (`up` or `down`) and actual state are apart: a state says what is, `wanted` what
 * the host works towards. `transitions.ts` has a cell for each state × event.
 *
 * - declared: known, not begun. Nothing runs that we know of: an instance of an earlier control is adopted from here.
 * - waiting: may not start, something it `requires` is not ready. Starts by itself when that is.
 * - starting: the process was started (or an external socket is being tried), readiness is awaited.
 * - initializing: a native package is ready to be told what it is; Init runs.
 * - ready: takes calls.
 * - unhealthy: runs and takes calls, but says of itself that it is degraded, or its health says NOT_SERVING. Never a
 *   reason to kill it.
 * - draining: takes no new calls, open ones finish. Ends at the drain's deadline.
 * - stopping: was told to end (SIGTERM, after the grace period SIGKILL; SIGKILL at once when it stalled). Only its
 *   exit ends this state, so no two generations ever overlap.
 * - stopped: down because that is wanted, or because it is done (transient, temporary).
 * - backoff: its last starts never got ready, or it asked to be tried later; the next start is due at a known time,
 *   or when something it requires comes back.
 * - skipped: says it is not for this machine. No error.
 * - failed: given up for now: intensity exceeded, config wrong, an old instance in the way, or never to be started as
 *   it is declared. Except for the last, probed once a minute: never a dead end. A probe that does not get ready leads
 *   back here, and its callers do not wait for it.
 * - disabled: by config. Never leaves this state.
 * - on-demand: down, starts at its first call. (Lazy activation.)
 *
 * Which rule wins: a stop that is wanted beats every restart; an exit code of the contract beats the restart
 * policy; the policy beats "at once" and backoff; intensity beats "at once". What is started afresh by command has
 * neither failed starts nor restarts behind it.
 *
 * How a process that ends by itself is followed:
 *
 * | had been ready | policy | what follows |
 * |---|---|---|
 * | yes | permanent, or transient and not exit code 0 | at once (`first`), until `intensity` in `period`, then failed |
 * | no | the same | backoff: full jitter below `min` doubling to `max`, counting starts in a row |
 * | either | transient and exit code 0, or temporary | stopped |
 */
export type StateName =
  | "declared"
  | "waiting"
  | "starting"
  | "initializing"
  | "ready"
  | "unhealthy"
  | "draining"
  | "stopping"
  | "stopped"
  | "backoff"
  | "skipped"
  | "failed"
  | "disabled"
  | "on-demand";

/** What the host works towards. */
export type Wanted = "up" | "down";

/** How a process ended; `known` is false when its status was lost. */
export interface Exit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** Last line it wrote to stderr or stdout. */
  readonly lastLine: string;
  /** The kernel killed it, or one of its children, because memory had reached its limit. */
  readonly oomKilled?: boolean;
}

/** What may happen to a package. */
export type LifecycleEvent =
  /** It is wanted: at boot, or by command. */
  | { readonly type: "start" }
  /** An instance that an earlier control had brought to ready is proved to be the package's, and runs. */
  | { readonly type: "adopted" }
  /** An instance of an earlier control is not proved dead, and there may only be one. */
  | { readonly type: "obstructed"; readonly reason: string }
  /** What it requires has become ready. */
  | { readonly type: "requirements-met" }
  /** The process could not be started at all. */
  | { readonly type: "spawn-failed"; readonly reason: string }
  /** The readiness line came, or the socket answers. */
  | { readonly type: "socket-ready" }
  /** Readiness (with Init) took longer than its timeout. */
  | { readonly type: "readiness-timeout"; readonly reason: string }
  | { readonly type: "init-done" }
  /** Every plugin of the package says it is not for this machine. */
  | { readonly type: "init-skipped"; readonly reason: string }
  | { readonly type: "init-failed"; readonly reason: string; readonly retriable: boolean }
  /** Degraded, by its own report or its watchdog. */
  | { readonly type: "degraded"; readonly reason: string }
  | { readonly type: "recovered" }
  /** Dead though it runs: it must be replaced. */
  | { readonly type: "stalled"; readonly reason: string }
  | { readonly type: "exit"; readonly exit: Exit }
  | { readonly type: "stop" }
  | { readonly type: "restart" }
  /** Open calls are done, or the drain's deadline passed. */
  | { readonly type: "drained" }
  /** The grace period after SIGTERM is over. */
  | { readonly type: "grace-over" }
  /** Backoff or the pause between probes is over. */
  | { readonly type: "timer" }
  /** A call came for a package that starts on demand. */
  | { readonly type: "call" };

/** Verbs the runner carries out, in order. */
export type Action =
  /** Start the next generation. */
  | "spawn"
  | "init"
  /** Ask the instance and the router to finish open calls. */
  | "drain"
  | "terminate"
  | "kill"
  /** Forget timers of the present state. */
  | "disarm"
  | { readonly arm: "readiness" | "drain" | "grace" }
  /** Fire `timer` later. */
  | { readonly arm: "timer"; readonly delayMs: number };

/**
 * Where the exit leads that draining or stopping waits for. start: the next generation, as was asked for. restart:
 * the same, counted as the end of a life (it stalled). failed-start: counted as a start that never got ready.
 */
export type AfterExit = "start" | "restart" | "stopped" | "skipped" | "failed" | "failed-start";

/** All the pure part knows of a package. */
export interface Machine {
  readonly state: StateName;
  readonly wanted: Wanted;
  /** Why it is in this state; shown. */
  readonly reason: string;
  /** Where its exit leads while draining or stopping. */
  readonly afterExit: AfterExit;
  /** This generation has been ready. */
  readonly wasReady: boolean;
  /** Starts in a row that never became ready. */
  readonly failedStarts: number;
  /** Times in a row that it asked to be tried later (exit code 75). */
  readonly postponed: number;
  /** This start is a probe of one that was given up: if it fails, too, the next comes at the slow pace. */
  readonly probing: boolean;
  /** Times of recent restarts, milliseconds, oldest first; no older than the policy's period. */
  readonly restartsMs: readonly number[];
}
