import { isLinuxError } from "#linux";
import { linuxProcesses, type ProcessTable } from "./process-table.ts";
import type { InstanceRecord } from "./records.ts";

/**
 * What a record turns out to be worth.
 *
 * - proved: its process runs, executes what it did, and serves the record's socket. (Tier 3 repeats its nonce, too.)
 * - ours: its process runs, but must not be adopted: it never was ready, or does not serve its socket.
 * - gone: its process has ended; the pid may be a stranger's by now, or the record of another boot.
 * - stranger: a process with its pid and start time runs something else. It is never signalled.
 */
export type Proof =
  | { readonly kind: "proved"; readonly pidfd: number }
  | { readonly kind: "ours"; readonly pidfd: number; readonly reason: string }
  | { readonly kind: "gone"; readonly reason: string }
  | { readonly kind: "stranger"; readonly reason: string };

/** Proves a record against the running system. The caller owns the pidfd; nothing is signalled. */
export function proveInstance(record: InstanceRecord, processes: ProcessTable = linuxProcesses): Proof {
  if (record.bootId !== processes.bootId()) return { kind: "gone", reason: "the record is of another boot" };
  const pidfd = processes.open(record.pid);
  if (pidfd === undefined) return { kind: "gone", reason: "it has ended" };
  const proof = prove(record, pidfd, processes);
  if (proof.kind === "gone" || proof.kind === "stranger") processes.close(pidfd);
  return proof;
}

/** A pidfd means whoever had the pid when it was opened, so what /proc says now is compared after that. */
function prove(record: InstanceRecord, pidfd: number, processes: ProcessTable): Proof {
  const now = processes.identify(record.pid);
  if (now === undefined) return { kind: "gone", reason: "it has ended" };
  if (now.startTime !== record.startTime) {
    return { kind: "gone", reason: `pid ${record.pid} is another process's by now` };
  }
  if (!record.ready) return { kind: "ours", pidfd, reason: "it never was ready" };
  if (record.exeInode !== 0 && now.exeInode !== record.exeInode) {
    return { kind: "stranger", reason: `pid ${record.pid} does not run the package's program` };
  }
  const fault = socketFault(record, processes);
  return fault === undefined ? { kind: "proved", pidfd } : { kind: "ours", pidfd, reason: fault };
}

/** What speaks against the record's socket being served by its process; undefined: nothing. */
function socketFault({ socket, pid }: InstanceRecord, processes: ProcessTable): string | undefined {
  try {
    const listener = processes.listenerOf(socket);
    // A program may leave the listening to a child of its own.
    const isItsOwn = listener === pid || processes.sessionOf(listener) === pid;
    return isItsOwn ? undefined : `its socket is served by another process (pid ${listener})`;
  } catch (error) {
    return `its socket cannot be connected (${isLinuxError(error) ? error.code : String(error)})`;
  }
}
