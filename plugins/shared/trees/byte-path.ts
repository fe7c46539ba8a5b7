/**
 * A path as a string of its bytes (latin1), since names on a disk need not be UTF-8. Faster to build paths of than
 * buffers.
 */
export type BytePath = string;

/** The bytes of a text. */
export function toBytePath(path: string): BytePath {
  return Buffer.from(path).toString("latin1");
}

/** What the kernel is given. */
export function rawPath(path: BytePath): Buffer {
  return Buffer.from(path, "latin1");
}
