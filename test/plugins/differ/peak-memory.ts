import { readFile, writeFile } from "node:fs/promises";

/** How much more memory than at its begin a process has had at its peak, in MiB; a function that tells so far. */
export async function watchPeak(pid: number): Promise<() => Promise<number>> {
  await writeFile(`/proc/${pid}/clear_refs`, "5"); // resets the peak, proc(5)
  const before = await peakMiB(pid);
  return async () => (await peakMiB(pid)) - before;
}

async function peakMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "latin1");
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}
