import { closeSync, readdirSync, readFileSync } from "node:fs";
import { isLinuxError, onceReady, openPid, peerCredentials, signalPidfd, unixConnect } from "#linux";
import { readProcStat } from "../holder/proc-stat.ts";
import { currentBootId, identifyProcess, type ProcessIdentity } from "./process-identity.ts";
import { killSession, nowInTicks } from "./session.ts";

/** What proving, watching and ending processes that are no children of ours takes from the kernel. */
export interface ProcessTable {
  /** Of the running kernel. */
  bootId(): string;
  /** Identity of a live process; undefined: none has that pid. */
  identify(pid: number): ProcessIdentity | undefined;
  /** Pid of its session's first process; undefined: none has that pid. */
  sessionOf(pid: number): number | undefined;
  /** Pid of its parent, ended ones that nobody has reaped included; undefined: none has that pid. */
  parentOf(pid: number): number | undefined;
  /**
   * Pids of the processes, each the first of its session, that were started to bind `socket`, as their environment
   * says: they and sessions that their children made. Those that hide their environment are not found.
   */
  startedFor(socket: string): number[];
  /** A pidfd, which means whoever has the pid now; undefined: nobody has. */
  open(pid: number): number | undefined;
  close(pidfd: number): void;
  /** False: it has ended. */
  signal(pidfd: number, signal: NodeJS.Signals): boolean;
  /** Calls `callback` once the process has ended, unless the returned function is called before. */
  onceEnded(pidfd: number, callback: () => void): () => void;
  /** Pid of the process that listens on a socket. Throws a LinuxError when it cannot be connected. */
  listenerOf(socket: string): number;
  /** Kills what is left of a session whose first process had ended by `endedAtTicks`. */
  killSession(session: number, endedAtTicks: number): void;
  nowInTicks(): number;
}

/** This machine's. */
export const linuxProcesses: ProcessTable = {
  bootId: currentBootId,
  identify: identifyProcess,
  sessionOf: (pid) => readProcStat(pid)?.session,
  parentOf: (pid) => readProcStat(pid)?.parent,
  startedFor: (socket) =>
    readdirSync("/proc")
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && readProcStat(pid)?.session === pid && wasStartedFor(pid, socket)),
  open: (pid) => unlessEnded(() => openPid(pid)),
  close: closeSync,
  signal: (pidfd, signal) => unlessEnded(() => (signalPidfd(pidfd, signal), true)) ?? false,
  onceEnded: (pidfd, callback) => onceReady(pidfd, "readable", callback),
  listenerOf(socket) {
    const fd = unixConnect(socket);
    try {
      return peerCredentials(fd).pid;
    } finally {
      closeSync(fd);
    }
  },
  killSession,
  nowInTicks,
};

function wasStartedFor(pid: number, socket: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`BULKHEAD_SOCKET=${socket}`);
  } catch {
    return false; // it has ended, or is another user's
  }
}

function unlessEnded<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (isLinuxError(error, "ESRCH")) return undefined;
    throw error;
  }
}
