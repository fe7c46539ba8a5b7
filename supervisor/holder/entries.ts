import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** Words for node that start control and router: flags, then the file. */
export interface Entries {
  readonly control: readonly string[];
  readonly router: readonly string[];
}

/**
 * SIGUSR1 must not open a debugger (the flag blocks it, so the holder, which takes it, goes without); the collector is
 * there for `settleAfterStart`.
 */
const commonFlags: readonly string[] = ["--disable-sigusr1", "--expose-gc", "--disable-warning=ExperimentalWarning"];

/**
 * The router's heap is small and its garbage dies young: a small nursery, no threads of V8's own and a heap that is kept
 * small cost it a twentieth of its time at most and save 15 MB.
 */
const routerFlags = [...commonFlags, "--max-semi-space-size=1", "--single-threaded", "--optimize-for-size"];

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
