import { mountFlags } from "#linux";

const { bind, recursive, remount, readonly, nosuid, nodev, noexec, noatime, nodiratime } = mountFlags;
const { relatime, strictatime, synchronous, dirsync, mandlock, unbindable, private: own, slave, shared } = mountFlags;

/** Flags that an option sets, and those it takes back. */
const flagOptions: Readonly<Record<string, { readonly set?: number; readonly clear?: number }>> = {
  async: { clear: synchronous },
  atime: { clear: noatime },
  bind: { set: bind },
  defaults: {},
  dev: { clear: nodev },
  diratime: { clear: nodiratime },
  dirsync: { set: dirsync },
  exec: { clear: noexec },
  mand: { set: mandlock },
  noatime: { set: noatime },
  nodev: { set: nodev },
  nodiratime: { set: nodiratime },
  noexec: { set: noexec },
  nomand: { clear: mandlock },
  norelatime: { clear: relatime },
  nostrictatime: { clear: strictatime },
  nosuid: { set: nosuid },
  rbind: { set: bind | recursive },
  relatime: { set: relatime },
  remount: { set: remount },
  ro: { set: readonly },
  rw: { clear: readonly },
  strictatime: { set: strictatime },
  suid: { clear: nosuid },
  sync: { set: synchronous },
};

const propagations: Readonly<Record<string, number>> = {
  private: own,
  rprivate: own | recursive,
  rshared: shared | recursive,
  rslave: slave | recursive,
  runbindable: unbindable | recursive,
  shared,
  slave,
  unbindable,
};

/** Options of a mount in the form that mount(2) takes (mount/mount_linux.go). */
export interface ParsedOptions {
  readonly flags: number;
  /** Sum of flags for a call of its own; 0: none. */
  readonly propagation: number;
  /** For the file system, in order. */
  readonly data: readonly string[];
}

export function parseOptions(options: readonly string[]): ParsedOptions {
  let flags = 0;
  let propagation = 0;
  const data: string[] = [];
  for (const option of options) {
    const known = Object.hasOwn(flagOptions, option) ? flagOptions[option] : undefined;
    if (known !== undefined) flags = (flags & ~(known.clear ?? 0)) | (known.set ?? 0);
    else if (Object.hasOwn(propagations, option)) propagation |= propagations[option] ?? 0;
    else data.push(option);
  }
  return { flags, propagation, data };
}
