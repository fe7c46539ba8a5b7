import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { callLibc } from "./library.ts";

const EFD_NONBLOCK = 0x800;
const EFD_CLOEXEC = 0x80000;

/**
 * A descriptor, owned by the caller, that gets readable when a group of a cgroup v1 memory hierarchy runs out of
 * memory, and when the group is removed (cgroups-v1/memory.rst, section 10). Reading 8 bytes makes it wait anew.
 * Throws Node's error for a folder that is no such group.
 */
export function openOomEvents(folder: string): number {
  const subject = { syscall: "eventfd", path: folder };
  const events = callLibc(subject, "int eventfd(unsigned int count, int flags)", 0, EFD_NONBLOCK | EFD_CLOEXEC);
  try {
    const control = openSync(join(folder, "memory.oom_control"), "r");
    try {
      writeFileSync(join(folder, "cgroup.event_control"), `${events} ${control}`, { flag: "r+" });
    } finally {
      closeSync(control);
    }
    return events;
  } catch (error) {
    closeSync(events);
    throw error;
  }
}
