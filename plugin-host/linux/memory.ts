import { flushCompileCache } from "node:module";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { callLibc } from "./library.ts";

/** Quiet time after start-up before a long-lived process tidies up, and between two looks for a quiet moment. */
const settleMs = 1000;
/** Between two looks at a heap that is kept small. */
const lookMs = 30_000;
/** What such a heap may grow before it is collected: V8 by itself lets megabytes of garbage stay for hours. */
const growthBytes = 512 * 1024;

export interface Settling {
  /** False puts the collections off. */
  readonly isIdle?: () => boolean;
  /** Keeps the heap small from then on, at a little cost of time: for those that allocate little, and live long. */
  readonly keepsSmall?: boolean;
  /** Has V8 compile nothing to machine code any more: for those whose calls are few, code is most of what they gain. */
  readonly interprets?: boolean;
}

/** V8's compilers above its interpreter. */
const compilerFlags = ["--no-sparkplug", "--no-maglev", "--no-opt"];

/**
 * To be called once by each long-lived process when it is ready: writes the compile cache (else written only at a
 * clean exit), and a second later gives what loading left behind back to the kernel: full collections and
 * malloc_trim(3), 2 to 6 MB in about 15 ms.
 */
export function settleAfterStart({ isIdle = () => true, keepsSmall = false, interprets = false }: Settling = {}): void {
  setImmediate(flushCompileCache);
  const release = (): void => {
    if (!isIdle()) return void setTimeout(release, settleMs).unref();
    releaseMemory();
    if (keepsSmall) keepSmall(isIdle);
  };
  const settle = (): void => {
    // Not on the command line: see `collector`; and not before the cache is written, which is good for one set of flags.
    if (keepsSmall) setFlagsFromString("--optimize-for-size");
    if (interprets) for (const flag of compilerFlags) setFlagsFromString(flag);
    release();
  };
  setTimeout(settle, settleMs).unref();
}

function keepSmall(isIdle: () => boolean): void {
  let least = usedBytes();
  const look = (): void => {
    if (usedBytes() < least + growthBytes || !isIdle()) return;
    releaseMemory();
    least = usedBytes();
  };
  setInterval(look, lookMs).unref();
}

function usedBytes(): number {
  return getHeapStatistics().used_heap_size;
}

function releaseMemory(): void {
  const collect = collector();
  for (let pass = 0; pass < 2; pass++) collect({ type: "major", execution: "sync", flavor: "last-resort" });
  callLibc({ syscall: "malloc_trim" }, "int malloc_trim(size_t pad)", 0);
}

/**
 * V8's collector, which only a context has that is made while the flag is on. Not by `--expose-gc` on the command line:
 * most of V8's flags there make it compile Node's own modules anew, 9 ms of each start and more.
 */
function collector(): NodeJS.GCFunction {
  setFlagsFromString("--expose-gc");
  try {
    return runInNewContext("gc") as NodeJS.GCFunction;
  } finally {
    setFlagsFromString("--no-expose-gc");
  }
}
