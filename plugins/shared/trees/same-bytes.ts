import { closeSync, openSync, readSync } from "node:fs";
import { rawPath, type BytePath } from "./byte-path.ts";

const pieceBytes = 64 * 1024;

/** Whether two files of the same size hold the same; reads both piece by piece. */
export function haveSameBytes(one: BytePath, other: BytePath): boolean {
  const first = openSync(rawPath(one), "r");
  try {
    const second = openSync(rawPath(other), "r");
    try {
      return compare(first, second);
    } finally {
      closeSync(second);
    }
  } finally {
    closeSync(first);
  }
}

function compare(first: number, second: number): boolean {
  const [left, right] = [Buffer.alloc(pieceBytes), Buffer.alloc(pieceBytes)];
  for (let at = 0; ; ) {
    const read = readSync(first, left, 0, pieceBytes, at);
    if (readSync(second, right, 0, pieceBytes, at) !== read) return false;
    if (!left.subarray(0, read).equals(right.subarray(0, read))) return false;
    if (read === 0) return true;
    at += read;
  }
}
