import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * `bulkhead daemon` where the launcher did not start the holder itself: this process becomes the holder, which reads
 * the same command line. Does not return.
 */
export function startDaemon(): never {
  const folder = dirname(realpathSync(process.argv[1] ?? ""));
  const source = join(folder, "holder/main.ts");
  const holder = existsSync(source) ? source : join(folder, "holder.js"); // packed: bundles lie side by side
  const words = [process.execPath, "--disable-warning=ExperimentalWarning", holder, ...process.argv.slice(2)];
  process.execve?.(process.execPath, words, process.env);
  throw new Error("this Node cannot replace its process: start the daemon with the bulkhead launcher");
}
