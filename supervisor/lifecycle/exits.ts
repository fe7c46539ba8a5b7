import type { Exit } from "./states.ts";

/** Exit codes of the plugin contract, section 3. */
export const exitCodes = {
  done: 0,
  tryLater: 75,
  badConfig: 78,
  notHere: 79,
  notExecutable: 126,
  notFound: 127,
} as const;

/** An exit in words. */
export function describeExit(exit: Exit): string {
  if (exit.oomKilled === true)
    return "out of memory: the kernel killed it at limits.memory; raise that, or mend its leak";
  if (exit.signal !== undefined) return `killed by ${exit.signal}`;
  if (exit.code === undefined) return "ended, its status is unknown";
  const line = exit.lastLine === "" ? "" : `: ${exit.lastLine}`;
  if (exit.code === exitCodes.notExecutable || exit.code === exitCodes.notFound) {
    return `could not start (exit code ${exit.code})${line}`;
  }
  return `exit code ${exit.code}${line}`;
}

/** Why a package is not for this machine, in containerd's words. */
export function skipText(reason: string): string {
  return reason.includes("skip plugin") ? reason : `${reason === "" ? "not for this machine" : reason}: skip plugin`;
}
