/** Config of `io.containerd.gc.v1.scheduler`, containerd's keys and defaults. */
export interface SchedulerConfig {
  readonly pause_threshold?: number;
  readonly deletion_threshold?: number;
  readonly mutation_threshold?: number;
  readonly schedule_delay?: string;
}

/** Longest share of time that collections may take (containerd gc/scheduler). */
const pauseLimit = 0.5;

/**
 * What the scheduler tells of itself in introspection. It collects nothing yet: deletions remove records, and what
 * only collections remove (blobs nobody names, expired leases) stays.
 */
export function schedulerExports(config: SchedulerConfig): Record<string, string> {
  const pause = Math.min(Math.max(config.pause_threshold ?? 0.02, 0), pauseLimit);
  return {
    PauseThreshold: String(pause),
    DeletionThreshold: String(config.deletion_threshold ?? 0),
    MutationThreshold: String(config.mutation_threshold ?? 100),
    ScheduleDelay: config.schedule_delay ?? "0s",
  };
}
