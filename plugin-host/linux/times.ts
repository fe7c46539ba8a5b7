import { callLibc } from "./library.ts";
import { pathArgument, pathText, type LinuxPath } from "./paths.ts";

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const billion = 1_000_000_000n;

/** Times of a file, in nanoseconds since the epoch; before it they are negative. */
export interface FileTimes {
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
}

/** Sets the times of a path to the nanosecond, symlinks not followed (utimensat(2)). @throws LinuxError */
export function setTimes(path: LinuxPath, { atimeNs, mtimeNs }: FileTimes): void {
  const times = Buffer.alloc(32);
  writeTime(times, 0, atimeNs);
  writeTime(times, 16, mtimeNs);
  const prototype = "int utimensat(int folder, const char *path, const void *times, int flags)";
  const subject = { syscall: "utimensat", path: pathText(path) };
  callLibc(subject, prototype, AT_FDCWD, pathArgument(path), times, AT_SYMLINK_NOFOLLOW);
}

/** A timespec: its nanoseconds count up even before the epoch. */
function writeTime(times: Buffer, at: number, nanos: bigint): void {
  const rest = ((nanos % billion) + billion) % billion;
  times.writeBigInt64LE((nanos - rest) / billion, at);
  times.writeBigInt64LE(rest, at + 8);
}
