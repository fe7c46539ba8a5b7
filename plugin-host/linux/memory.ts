import { flushCompileCache } from "node:module";
import { callLibc } from "./library.ts";

/** Quiet time after start-up before a long-lived process tidies up, and between two looks for a quiet moment. */
const settleMs = 1000;

/**
 * To be called once by each long-lived process when it is ready: writes the compile cache (else written only at a
 * clean exit), and a second later gives what loading left behind back to the kernel: full collections and
 * malloc_trim(3), 2 to 6 MB in about 15 ms. `isIdle` false puts that off. Node must run with `--expose-gc`: other
 * ways to the collector cost half a megabyte for ever.
 */
export function settleAfterStart(isIdle: () => boolean = () => true): void {
  setImmediate(flushCompileCache);
  const settle = (): void => {
    if (isIdle()) releaseMemory();
    else setTimeout(settle, settleMs).unref();
  };
  setTimeout(settle, settleMs).unref();
}

function releaseMemory(): void {
  const collect = globalThis.gc;
  for (let pass = 0; pass < 2; pass++) collect?.({ type: "major", execution: "sync", flavor: "last-resort" });
  callLibc({ syscall: "malloc_trim" }, "int malloc_trim(size_t pad)", 0);
}
