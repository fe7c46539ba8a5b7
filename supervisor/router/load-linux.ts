import { createRequire, flushCompileCache } from "node:module";

const require = createRequire(import.meta.url);
let linux: typeof import("#linux") | undefined;

/** `#linux`, loaded at the first connection or host listener: a start does not wait for it. */
export function loadLinux(): typeof import("#linux") {
  if (linux === undefined) {
    linux = require("#linux") as typeof import("#linux");
    setImmediate(flushCompileCache);
  }
  return linux;
}
