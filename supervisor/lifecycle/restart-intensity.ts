import type { RestartPolicy } from "../config/manifest.ts";

/** Restarts that still count: those within the policy's period before `nowMs`, oldest first. */
export function recentRestarts(policy: RestartPolicy, restartsMs: readonly number[], nowMs: number): readonly number[] {
  return restartsMs.filter((at) => nowMs - at < policy.periodMs);
}

/** Whether one more restart is within the intensity (Erlang's meaning: at most `intensity` in `period`). */
export function mayRestart(policy: RestartPolicy, restartsMs: readonly number[], nowMs: number): boolean {
  return policy.intensity === 0 || recentRestarts(policy, restartsMs, nowMs).length < policy.intensity;
}
