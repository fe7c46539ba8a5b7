import { closeSync, constants, openSync } from "node:fs";
import { HostError } from "#proto/wire/errors.ts";
import { mount, mountFlags, unmount, unmountFlags } from "#linux";
import { parseOptions } from "./mount-options.ts";
import type { MountSpec } from "./overlay.ts";

/** The kernel takes a page of options. */
const dataLimitBytes = 4095;
const folderOptions = /^(lowerdir|upperdir|workdir)=/;
/** Set by a bind mount's own call, so that a change of anything else needs a second. */
const bindFlags = mountFlags.bind | mountFlags.recursive;

/** Mounts a list in order on one path, as clients of snapshotters do. When one fails the others are taken away. */
export function mountAll(mounts: readonly MountSpec[], target: string): void {
  let done = 0;
  try {
    for (const each of mounts) {
      mountOne(each, target);
      done++;
    }
  } catch (error) {
    for (; done > 0; done--) unmount(target, unmountFlags.detach);
    throw error;
  }
}

function mountOne({ type, source, options }: MountSpec, target: string): void {
  if (type.startsWith("fuse.") || type.startsWith("fuse3.") || options.includes("loop")) {
    throw new HostError(
      "unimplemented",
      `mount of ${source} (${type} ${options.join(",")}) is not offered by the differ`,
    );
  }
  const { flags, propagation, data } = parseOptions(options);
  const isBind = (flags & mountFlags.bind) !== 0;
  withShortData(data, (short) => {
    mount({ source, target, type: isBind ? undefined : type, flags: isBind ? flags & bindFlags : flags, data: short });
  });
  const rest = flags & ~bindFlags;
  if (isBind && rest !== 0) {
    mount({ source: "none", target, flags: rest | mountFlags.bind | mountFlags.remount });
  }
  if (propagation !== 0) mount({ source: "none", target, flags: propagation });
}

/** Too many folders for one page are named by descriptors, which is all the kernel needs while it mounts. */
function withShortData(data: readonly string[], call: (data: string) => void): void {
  const text = data.join(",");
  if (Buffer.byteLength(text) <= dataLimitBytes) return call(text);
  const open: number[] = [];
  try {
    const shorten = (path: string): string => {
      const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
      open.push(fd);
      return `/proc/self/fd/${fd}`;
    };
    const short = data.map((option) => {
      const [name] = folderOptions.exec(option) ?? [];
      return name === undefined ? option : name + option.slice(name.length).split(":").map(shorten).join(":");
    });
    call(short.join(","));
  } finally {
    for (const fd of open) closeSync(fd);
  }
}
