import { durationMs } from "../../shared/durations.ts";

/** Config of `io.containerd.gc.v1.scheduler`, containerd's keys and defaults. */
export interface SchedulerConfig {
  readonly pause_threshold?: number;
  readonly deletion_threshold?: number;
  readonly mutation_threshold?: number;
  readonly schedule_delay?: string;
  readonly startup_delay?: string;
}

/** When to collect. */
export interface Schedule {
  /** Share of time that collections may take: 0 (no matter) to 0.5. */
  readonly pauseThreshold: number;
  /** Deletions that start a collection at once; 0: none do. */
  readonly deletionThreshold: number;
  /** Changes after which the next tick collects; 0: never for changes alone. */
  readonly mutationThreshold: number;
  readonly scheduleDelayMs: number;
  readonly startupDelayMs: number;
  /** Wait before back ends that could not be emptied are tried again. */
  readonly retryMs: number;
}

/** Longest share of time that collections may take (containerd gc/scheduler). */
const pauseLimit = 0.5;
const retryMs = 30_000;

/** Config with its defaults. Throws BadConfig for a duration that is none. */
export function readSchedule(config: SchedulerConfig): Schedule {
  return {
    pauseThreshold: pauseOf(config),
    deletionThreshold: Math.max(config.deletion_threshold ?? 0, 0),
    mutationThreshold: Math.max(config.mutation_threshold ?? 100, 0),
    scheduleDelayMs: durationMs("schedule_delay", config.schedule_delay ?? "0s"),
    startupDelayMs: durationMs("startup_delay", config.startup_delay ?? "100ms"),
    retryMs,
  };
}

/** What the scheduler tells of itself in introspection. */
export function schedulerExports(config: SchedulerConfig): Record<string, string> {
  return {
    PauseThreshold: String(pauseOf(config)),
    DeletionThreshold: String(config.deletion_threshold ?? 0),
    MutationThreshold: String(config.mutation_threshold ?? 100),
    ScheduleDelay: config.schedule_delay ?? "0s",
  };
}

function pauseOf({ pause_threshold = 0.02 }: SchedulerConfig): number {
  return Math.min(Math.max(pause_threshold, 0), pauseLimit);
}
