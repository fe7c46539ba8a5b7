import { constants } from "node:os";
import { isLinuxError } from "./error.ts";
import { callLibc } from "./library.ts";

const PR_SET_CHILD_SUBREAPER = 36;
/** Numbers of system calls without a wrapper in older C libraries; the same on x86-64 and AArch64. */
const SYS_pidfd_send_signal = 424;
const SYS_pidfd_open = 434;
const P_ALL = 0;
const P_PID = 1;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x01000000;
const CLD_EXITED = 1;
const siginfoBytes = 128;

/** Makes this process the parent of orphans among its descendants (prctl PR_SET_CHILD_SUBREAPER). */
export function setChildSubreaper(on: boolean): void {
  const prototype = "int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)";
  callLibc({ syscall: "prctl" }, prototype, PR_SET_CHILD_SUBREAPER, on ? 1 : 0, 0, 0, 0);
}

/**
 * A descriptor of a process (pidfd), close-on-exec, owned by the caller: it never comes to mean another process.
 * @throws LinuxError ESRCH: there is none.
 */
export function openPid(pid: number): number {
  const prototype = "long syscall(long number, long pid, long flags)";
  return callLibc({ syscall: "pidfd_open", path: `pid ${pid}` }, prototype, SYS_pidfd_open, pid, 0);
}

/** Sends a signal to exactly the process a pidfd means. @throws LinuxError ESRCH: it ended, EPERM. */
export function signalPidfd(pidfd: number, signal: NodeJS.Signals | 0): void {
  const number = signal === 0 ? 0 : constants.signals[signal];
  const prototype = "long syscall(long number, long pidfd, long signal, void *info, long flags)";
  callLibc({ syscall: "pidfd_send_signal" }, prototype, SYS_pidfd_send_signal, pidfd, number, null, 0);
}

/** How a child ended: an exit code, or the number of the signal that killed it. */
export interface ChildExit {
  readonly pid: number;
  /** 0 to 255; undefined: it was killed. */
  readonly code: number | undefined;
  readonly signal: number | undefined;
}

/** An ended child that is still to be reaped, without reaping it; undefined: none has ended. */
export function peekEndedChild(): ChildExit | undefined {
  return waitForChild(P_ALL, 0, WEXITED | WNOHANG | WNOWAIT);
}

/** Reaps an ended child; undefined: it has not ended or is no child of ours. */
export function reapChild(pid: number): ChildExit | undefined {
  return waitForChild(P_PID, pid, WEXITED | WNOHANG);
}

function waitForChild(kind: number, id: number, options: number): ChildExit | undefined {
  const info = Buffer.alloc(siginfoBytes);
  try {
    callLibc({ syscall: "waitid" }, "int waitid(int kind, int id, void *info, int options)", kind, id, info, options);
  } catch (error) {
    if (isLinuxError(error, "ECHILD")) return undefined;
    throw error;
  }
  const pid = info.readInt32LE(16);
  if (pid === 0) return undefined;
  const status = info.readInt32LE(24);
  const exited = info.readInt32LE(8) === CLD_EXITED;
  return { pid, code: exited ? status : undefined, signal: exited ? undefined : status };
}
