import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { SourceError } from "./source.ts";

/** Bytes a config file or manifest may have. */
export const fileLimitBytes = 1024 * 1024;

const advice: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  ENOENT: ["no such file", "check the path"],
  ENOTDIR: ["no such file", "a part of its path is not a folder"],
  EACCES: ["permission denied", "make it readable for the daemon's user"],
  EISDIR: ["is a folder", "name a file"],
  ELOOP: ["too many symbolic links", "check the links"],
};

/**
 * The text of a regular file. Throws SourceError when it cannot be read, is no file (a FIFO would wait for ever),
 * has more than `limitBytes`, or is no UTF-8. Its `cause` is the system's error, where there was one.
 */
export function readText(file: string, limitBytes: number = fileLimitBytes): string {
  const bytes = readBytes(file, limitBytes);
  const text = decode(bytes);
  if (text === undefined || text.includes("\0")) {
    throw new SourceError("is not UTF-8 text", undefined, "it may be another kind of file, or half written");
  }
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
}

function decode(bytes: Buffer): string | undefined {
  const text = bytes.toString("utf8");
  return text.includes("\uFFFD") && !Buffer.from(text).equals(bytes) ? undefined : text;
}

function readBytes(file: string, limitBytes: number): Buffer {
  try {
    // O_NONBLOCK: opening a FIFO that nobody writes must not hang.
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!fstatSync(fd).isFile()) throw new SourceError("is not a regular file", undefined, "name a file");
      return readAtMost(fd, limitBytes);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof SourceError) throw error;
    const { code = "", message } = error as NodeJS.ErrnoException;
    const [text, hint] = advice[code] ?? [message, ""];
    throw new SourceError(text, undefined, hint, { cause: error });
  }
}

function readAtMost(fd: number, limitBytes: number): Buffer {
  const buffer = Buffer.alloc(Math.min(fstatSync(fd).size, limitBytes) + 1);
  let length = 0;
  for (;;) {
    const read = readSync(fd, buffer, length, buffer.length - length, null);
    if (read === 0) return buffer.subarray(0, length);
    length += read;
    if (length > limitBytes) {
      throw new SourceError(
        `has more than ${limitBytes} bytes`,
        undefined,
        "this is not the right file, or split it by imports",
      );
    }
    if (length === buffer.length) throw new SourceError("grew while it was read", undefined, "try again");
  }
}
