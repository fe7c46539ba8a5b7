import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** Words for node that start control and router: flags, then the file. */
export interface Entries {
  readonly control: readonly string[];
  readonly router: readonly string[];
}

/**
 * SIGUSR1 must not open a debugger (the flag blocks it, so the holder, which takes it, goes without). Flags that V8
 * counts to its version are not for here: they make it compile Node's own modules anew, 9 ms of each start.
 */
const commonFlags: readonly string[] = ["--disable-sigusr1", "--disable-warning=ExperimentalWarning"];

/**
 * The router's heap is small and its garbage dies young: a small nursery and one thread of V8's own, in one arena of the
 * allocator, save 15 MB at no cost of time. What else keeps it small it sets itself once it runs (`settleAfterStart`).
 */
const routerFlags = [...commonFlags, "--max-semi-space-size=1", "--v8-pool-size=1"];

/** What the router's environment adds to the holder's. */
export const routerEnvironment: NodeJS.ProcessEnv = { MALLOC_ARENA_MAX: "1" };

/**
 * The files beside the one that runs: in a checkout the sources, in an installed package the bundles in `dist/`.
 * `script`: the running file, as node was given it.
 */
export function findEntries(script: string): Entries {
  const folder = dirname(realpathSync(script));
  const sources = { control: join(folder, "../control.ts"), router: join(folder, "../router/main.ts") };
  const bundles = { control: join(folder, "control.js"), router: join(folder, "router.js") };
  const files = existsSync(sources.control) ? sources : bundles;
  return { control: [...commonFlags, files.control], router: [...routerFlags, files.router] };
}
