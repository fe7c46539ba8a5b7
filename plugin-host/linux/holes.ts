import { isLinuxError } from "./error.ts";
import { callLibc } from "./library.ts";

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Bytes of a file that are stored, as opposed to its holes. */
export interface DataExtent {
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
}

/** The stored parts of an open file, in order; moves the descriptor's position. @throws LinuxError */
export function* dataExtents(fd: number): Generator<DataExtent, void> {
  for (let at = 0; ; ) {
    const start = seek(fd, at, SEEK_DATA);
    if (start === undefined) return;
    const end = seek(fd, start, SEEK_HOLE);
    if (end === undefined) return; // it was cut meanwhile
    yield { start, end };
    at = end;
  }
}

/** Undefined: there is none behind `offset`. */
function seek(fd: number, offset: number, whence: number): number | undefined {
  try {
    return callLibc({ syscall: "lseek" }, "int64_t lseek(int fd, int64_t offset, int whence)", fd, offset, whence);
  } catch (error) {
    if (isLinuxError(error, "ENXIO")) return undefined;
    throw error;
  }
}
