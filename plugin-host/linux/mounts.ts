import { callLibc } from "./library.ts";

/** Flags of mount(2). */
export const mountFlags = {
  readonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  synchronous: 16,
  remount: 32,
  mandlock: 64,
  dirsync: 128,
  nosymfollow: 256,
  noatime: 1024,
  nodiratime: 2048,
  bind: 4096,
  move: 8192,
  recursive: 16384,
  silent: 32768,
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
  relatime: 1 << 21,
  strictatime: 1 << 24,
  lazytime: 1 << 25,
} as const;

/** Flags of umount2(2). */
export const unmountFlags = { force: 1, detach: 2, expire: 4, nofollow: 8 } as const;

export interface MountRequest {
  readonly source: string;
  readonly target: string;
  /** File system type; undefined: none, as for a bind mount. */
  readonly type?: string | undefined;
  /** Sum of `mountFlags`. */
  readonly flags?: number;
  /** Options of the file system, comma-separated; at most a page (4095 bytes). */
  readonly data?: string | undefined;
}

/** Mounts (mount(2)). @throws LinuxError with the target as path. */
export function mount(request: MountRequest): void {
  const prototype =
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)";
  const { source, target, type = null, flags = 0, data = null } = request;
  callLibc({ syscall: "mount", path: target }, prototype, source, target, type, flags, data);
}

/** Takes a mount away (umount2(2)); `flags` is a sum of `unmountFlags`. @throws LinuxError EINVAL: no mount there. */
export function unmount(target: string, flags = 0): void {
  callLibc({ syscall: "umount2", path: target }, "int umount2(const char *target, int flags)", target, flags);
}
