import { writeSync } from "node:fs";

const stderr = 2;
/** What waits for a slow reader at most, bytes; lines beyond it are dropped. */
const backlogLimitBytes = 256 * 1024;
const againMs = 5;

let waiting: Buffer[] = [];
let waitingBytes = 0;
let timer: NodeJS.Timeout | undefined;

/**
 * Writes a line to stderr, in a moment if its reader is slow. What cannot be written is dropped: nothing may stand still
 * for, or die of, a log reader.
 */
export function printError(line: string): void {
  const bytes = Buffer.from(`${line}\n`);
  if (waitingBytes + bytes.length > backlogLimitBytes) return;
  waiting.push(bytes);
  waitingBytes += bytes.length;
  if (timer === undefined) flush();
}

function flush(): void {
  timer = undefined;
  try {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const written = writeSync(stderr, next);
      waitingBytes -= written;
      if (written < next.length) waiting[0] = next.subarray(written);
      else waiting.shift();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") timer = setTimeout(flush, againMs).unref();
    else drop(); // EPIPE, EBADF: there is nowhere left to say it
  }
}

function drop(): void {
  waiting = [];
  waitingBytes = 0;
}

process.on("exit", () => {
  if (waiting.length > 0) flush();
});
