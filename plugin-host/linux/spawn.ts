import { constants } from "node:fs";
import { LinuxError } from "./error.ts";
import { callLibc } from "./library.ts";

/** Larger than glibc's and musl's on x86-64 and AArch64 (80 and 336 bytes). */
const actionsBytes = 512;
const attributesBytes = 1024;
const signalSetBytes = 128;
const { O_RDWR } = constants;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;

export interface SpawnRequest {
  /** Absolute path of the program. */
  readonly file: string;
  /** Its arguments, beginning with its name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /**
   * What its descriptors from 0 on are: one of ours, which stays ours, /dev/null, or nothing. Ours must be its own
   * number there or beyond the list's end. It gets no others, as long as ours are close-on-exec.
   */
  readonly descriptors: readonly (number | "null" | undefined)[];
}

/**
 * Starts a program in a session of its own, with default signals, and gives its pid (posix_spawn(3)). Unlike Node's
 * spawn it copies no page tables, and leaves no page of ours to be faulted in again: half the time, in a process of
 * 20 MB. The caller watches the process by `openPid` and must reap it (`reapChild`): Node does not know of it.
 * @throws LinuxError when the system cannot start it, with the file as path.
 */
export function spawnProcess({ file, args, env, cwd, descriptors }: SpawnRequest): number {
  const actions = Buffer.alloc(actionsBytes);
  const attributes = Buffer.alloc(attributesBytes);
  init("posix_spawn_file_actions_init", actions);
  init("posix_spawnattr_init", attributes);
  try {
    for (const [to, from] of descriptors.entries()) {
      if (from === undefined) continue;
      if (from !== "null" && from < descriptors.length && from !== to)
        throw new RangeError(`descriptor ${from} would be overwritten before it becomes ${to}`);
      addDescriptor(actions, from, to);
    }
    check("int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)", cwd, actions, cwd);
    setAttributes(attributes);
    const pid = new Int32Array(1);
    const prototype =
      "int posix_spawn(int32_t *pid, const char *file, void *actions, void *attributes, const char **args, const char **env)";
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    check(prototype, file, pid, file, actions, attributes, [...args, null], [...variables, null]);
    return pid[0] ?? 0;
  } finally {
    init("posix_spawn_file_actions_destroy", actions);
    init("posix_spawnattr_destroy", attributes);
  }
}

function addDescriptor(actions: Buffer, from: number | "null", to: number): void {
  if (from === "null") {
    const prototype =
      "int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, unsigned int mode)";
    check(prototype, "/dev/null", actions, to, "/dev/null", O_RDWR, 0);
  } else {
    check(
      "int posix_spawn_file_actions_adddup2(void *actions, int from, int to)",
      `descriptor ${to}`,
      actions,
      from,
      to,
    );
  }
}

function setAttributes(attributes: Buffer): void {
  // Not sigfillset(3): that leaves out the C library's own two, which would be ignored in the program.
  const all = Buffer.alloc(signalSetBytes, 0xff);
  const none = Buffer.alloc(signalSetBytes);
  check("int posix_spawnattr_setsigdefault(void *attributes, const void *set)", "signals", attributes, all);
  check("int posix_spawnattr_setsigmask(void *attributes, const void *set)", "signals", attributes, none);
  const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID;
  check("int posix_spawnattr_setflags(void *attributes, short flags)", "session", attributes, flags);
}

function init(name: string, object: Buffer): void {
  check(`int ${name}(void *object)`, name, object);
}

/** These functions answer with the errno. */
function check(prototype: string, path: string, ...args: readonly unknown[]): void {
  const errno = callLibc({ syscall: "posix_spawn", path }, prototype, ...args);
  if (errno !== 0) throw new LinuxError({ errno, syscall: "posix_spawn", path });
}
