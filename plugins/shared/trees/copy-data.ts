import {
  closeSync,
  constants,
  copyFileSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
  type BigIntStats,
} from "node:fs";
import { dataExtents } from "#linux";

const pieceBytes = 1024 * 1024;
const blockBytes = 512n;

/** Copies a plain file's bytes to a path where nothing is yet; what is no more than a hole stays one. */
export function copyData(source: Buffer, target: Buffer, { size, blocks }: BigIntStats): void {
  const hasHoles = blocks * blockBytes < size;
  if (hasHoles) copyExtents(source, target, Number(size));
  // In the kernel; shares the blocks where the file system can.
  else copyFileSync(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
}

function copyExtents(source: Buffer, target: Buffer, size: number): void {
  const from = openSync(source, "r");
  try {
    const to = openSync(target, "wx", 0o600);
    try {
      const piece = Buffer.alloc(Math.min(pieceBytes, size));
      for (const { start, end } of dataExtents(from)) copyRange(from, to, piece, start, end);
      ftruncateSync(to, size);
    } finally {
      closeSync(to);
    }
  } finally {
    closeSync(from);
  }
}

function copyRange(from: number, to: number, piece: Buffer, start: number, end: number): void {
  for (let at = start; at < end; ) {
    const read = readSync(from, piece, 0, Math.min(piece.length, end - at), at);
    if (read === 0) return; // it was cut meanwhile
    for (let written = 0; written < read; ) written += writeSync(to, piece, written, read - written, at + written);
    at += read;
  }
}
