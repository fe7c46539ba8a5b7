import { readFileSync } from "node:fs";

/** Whether this process is in one of its own: devices, and so whiteouts, cannot be made there. */
export function isUserNamespace(): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
}
