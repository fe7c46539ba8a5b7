/** Labels of containers by which a task is kept going or stopped (containerd runtime/restart/restart.go). */
export const restartLabels = {
  /** `running` or `stopped`: what the task is to be. */
  status: "containerd.io/restart.status",
  /** Where a task that is started writes to, as `file:///…` or `binary:///…`. */
  logUri: "containerd.io/restart.loguri",
  /** The same as an absolute path, before containerd 1.5. */
  logPath: "containerd.io/restart.logpath",
  /** Since containerd 1.7: when a task that is to run is started again. */
  policy: "containerd.io/restart.policy",
  /** Since containerd 1.7: starts so far. */
  count: "containerd.io/restart.count",
  /** Since containerd 1.7: a person stopped it. */
  explicitlyStopped: "containerd.io/restart.explicitly-stopped",
} as const;

export type Labels = Readonly<Record<string, string>>;
