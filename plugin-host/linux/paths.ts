/** A path for the kernel: text, or its bytes where they may not be UTF-8. */
export type LinuxPath = string | Uint8Array;

/** A path as an argument of a C function, which wants its end marked. */
export function pathArgument(path: LinuxPath): string | Buffer {
  return typeof path === "string" ? path : Buffer.concat([path, Buffer.of(0)]);
}

/** A path in an error's text. */
export function pathText(path: LinuxPath): string {
  return typeof path === "string" ? path : Buffer.from(path).toString("utf8");
}
