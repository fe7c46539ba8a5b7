import { watch } from "node:fs";
import type { Supervision } from "../status.ts";
import { findLogTail } from "./log-tail.ts";
import { LogFile } from "./log-file.ts";
import { Wakeup } from "./wakeup.ts";

/** Lines sent first when the request names no number. */
const defaultLines = 100;

/**
 * The last lines a package's instances wrote, then, with `follow`, what they write from now on, over restarts,
 * until `signal` aborts. Chunks are at most 64 KiB and read only when the receiver asks for them.
 */
export async function* readLog(
  supervision: Supervision,
  packageName: string,
  options: { readonly lines: number; readonly follow: boolean },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const current = () => supervision.package(packageName)?.logFile ?? "";
  let path = current();
  const tail = await findLogTail(path, options.lines || defaultLines);
  for (const earlier of tail.earlier) yield* readOnce(earlier.path, earlier.offset);
  if (!options.follow) {
    yield* readOnce(path, tail.offset);
    return;
  }
  for (let offset = tail.offset; !signal.aborted; offset = 0) {
    yield* followFile(supervision, path, offset, () => current() !== path, signal);
    path = current();
  }
}

async function* readOnce(path: string, offset: number): AsyncGenerator<Uint8Array> {
  await using file = await LogFile.open(path, offset);
  if (file !== undefined) yield* file.readAvailable();
}

/** Reads what is appended to one instance's file; ends when `replaced` says that a later instance writes. */
async function* followFile(
  supervision: Supervision,
  path: string,
  offset: number,
  replaced: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const changed = new Wakeup();
  const unwatch = supervision.watch(changed.wake);
  let watched = await openWatched(path, offset, changed.wake);
  try {
    for (;;) {
      const over = replaced() || signal.aborted; // asked before the read, so that the last words are not lost
      watched ??= await openWatched(path, offset, changed.wake);
      if (watched !== undefined) yield* watched.file.readAvailable();
      if (over) return;
      await changed.wait(signal);
    }
  } finally {
    unwatch();
    watched?.watcher.close();
    await watched?.file[Symbol.asyncDispose]();
  }
}

/** Undefined until the instance has a file. The caller closes both. */
async function openWatched(path: string, offset: number, onChange: () => void) {
  const file = await LogFile.open(path, offset);
  if (file === undefined) return undefined;
  try {
    const watcher = watch(path, { persistent: false }, onChange);
    watcher.on("error", onChange);
    return { file, watcher };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}
