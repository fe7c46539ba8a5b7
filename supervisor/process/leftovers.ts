import { HostError } from "#proto/wire/errors.ts";
import { type Clock, realClock } from "../clock.ts";
import { linuxProcesses, type ProcessTable } from "./process-table.ts";
import { proveInstance } from "./prove-instance.ts";
import type { InstanceRecord, InstanceRecords } from "./records.ts";

/** What ending a process needs of the machine. */
interface Outside {
  readonly processes: ProcessTable;
  readonly clock: Clock;
}

/** How long a killed process may take to go. */
const goneWithinMs = 5000;

/** What ending leftovers tells of itself. */
export interface LeftoverLog {
  warn(message: string, fields: Record<string, string | number>): void;
  error(message: string, fields: Record<string, string | number>): void;
}

/**
 * Ends every instance that was recorded and still runs, and forgets the records; strangers are never signalled.
 * Resolves when they are gone. `graceMs` overrides their own grace periods.
 */
export async function endLeftovers(records: InstanceRecords, log: LeftoverLog, graceMs?: number): Promise<void> {
  const found = records.readAll().records;
  await Promise.all(
    found.map(async (record) => {
      const proof = proveInstance(record);
      if (proof.kind === "gone") return;
      const facts = { plugin: record.package, pid: record.pid };
      if (proof.kind === "stranger")
        return log.warn("left alone what may not be ours", { ...facts, reason: proof.reason });
      log.warn("ending an instance that was left behind", facts);
      await endProcess(record, proof.pidfd, graceMs ?? record.graceMs).catch((error: unknown) =>
        log.error("an instance that was left behind cannot be ended", { ...facts, error: String(error) }),
      );
    }),
  );
  for (const record of found) records.remove(record.package);
}

/**
 * Ends the process that a pidfd means: SIGTERM, after `graceMs` SIGKILL, and then the rest of its session unless that is
 * to outlive it. Takes the pidfd over. Rejects with unavailable when it does not go.
 */
export async function endProcess(
  { pid, kill }: Pick<InstanceRecord, "pid" | "kill">,
  pidfd: number,
  graceMs: number,
  { processes, clock }: Outside = { processes: linuxProcesses, clock: realClock },
): Promise<void> {
  const endsWithin = (ms: number): Promise<boolean> =>
    new Promise((resolve) => {
      const timer = clock.setTimer(() => {
        stop();
        resolve(false);
      }, ms);
      const stop = processes.onceEnded(pidfd, () => {
        clock.clearTimer(timer);
        resolve(true);
      });
    });
  try {
    const gentle = graceMs > 0 && processes.signal(pidfd, "SIGTERM");
    if (!gentle || !(await endsWithin(graceMs))) {
      processes.signal(pidfd, "SIGKILL");
      if (!(await endsWithin(goneWithinMs))) {
        throw new HostError("unavailable", `pid ${pid} did not end within ${goneWithinMs / 1000} s of SIGKILL`);
      }
    }
    if (kill === "group") processes.killSession(pid, processes.nowInTicks());
  } finally {
    processes.close(pidfd);
  }
}
