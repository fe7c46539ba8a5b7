import type { FileTime } from "#linux";
import type { TarHeader } from "../tar/header.ts";

const epoch: FileTime = { seconds: 0, nanos: 0 };
/** containerd takes no time whose nanoseconds do not fit 63 bits: the year 2262. */
const lastSecond = 9_223_372_036;
const lastNano = 854_775_807;

/** The times an entry gets: containerd's rule is the later of both as the access time, and the epoch for odd ones. */
export function timesOf({ accessed, modified }: TarHeader): { accessed: FileTime; modified: FileTime } {
  const later = accessed !== undefined && isBefore(modified, accessed) ? accessed : modified;
  return { accessed: bounded(later), modified: bounded(modified) };
}

function isBefore(one: FileTime, other: FileTime): boolean {
  return one.seconds < other.seconds || (one.seconds === other.seconds && one.nanos < other.nanos);
}

function bounded(time: FileTime): FileTime {
  const isLate = time.seconds > lastSecond || (time.seconds === lastSecond && time.nanos > lastNano);
  return time.seconds < 0 || isLate ? epoch : time;
}
