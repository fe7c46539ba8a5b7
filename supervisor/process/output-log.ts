import { closeSync, fstatSync, ftruncateSync, openSync, readSync, watch, type FSWatcher } from "node:fs";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Bytes a log file may have before it is truncated. */
export const logLimitBytes = 16 * 1024 * 1024;
/** Longest line that is kept whole. */
const lineLimitBytes = 16 * 1024;
/** Lines kept for crash reports. */
const lastLinesLimit = 200;
/** What is handed on a second (plugin contract, section 3). */
const linesPerSecond = 1000;
const bytesPerSecond = 1024 * 1024;
/** Pause between two looks at a file that is being written: a flood must not keep control busy. */
const pauseMs = 50;
/** Most that one look takes in; of a longer backlog only the end is read. */
const bytesPerLook = 128 * 1024;
/** Generations whose files are kept. */
const keptGenerations = 3;

/**
 * The output of one instance: an append-only file that it writes and this class tails. Writing never blocks the
 * instance. Owns: the file's descriptors and its watch; `close` leaves the file.
 */
export class OutputLog {
  readonly path: string;
  readonly #onLine: (line: string) => void;
  readonly #clock: () => number;
  readonly #readFd: number;
  readonly #buffer = Buffer.allocUnsafe(bytesPerLook);
  readonly #lastLines: string[] = [];
  #watcher: FSWatcher | undefined;
  #pause: NodeJS.Timeout | undefined;
  /** Of the child's descriptors 1 and 2; -1 once handed over. */
  #appendFd: number;
  #offset: number;
  #partial = "";
  #windowStart = 0;
  #linesInWindow = 0;
  #bytesInWindow = 0;
  #dropped = 0;

  /** `onLine` hears each line, at most 1,000 and 1 MiB a second. */
  constructor(path: string, onLine: (line: string) => void, clock: () => number = Date.now) {
    this.path = path;
    this.#onLine = onLine;
    this.#clock = clock;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    forgetOldGenerations(path);
    this.#appendFd = openSync(path, "a", 0o600);
    this.#readFd = openSync(path, "r+");
    this.#offset = fstatSync(this.#readFd).size;
    this.#watch();
  }

  /** Descriptor for the child. */
  get appendFd(): number {
    return this.#appendFd;
  }

  /** Called once the child has its own copies. */
  handOver(): void {
    if (this.#appendFd !== -1) closeSync(this.#appendFd);
    this.#appendFd = -1;
  }

  /** The newest lines, oldest first. */
  lastLines(): readonly string[] {
    return this.#lastLines;
  }

  /** Lines not handed on, because of the rate or because they were overrun. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes in the rest, an unfinished last line too, and lets go of the file. */
  close(): void {
    this.handOver();
    clearTimeout(this.#pause);
    this.#watcher?.close();
    this.#read();
    if (this.#partial !== "") this.#line(this.#partial);
    closeSync(this.#readFd);
  }

  /** One look at each change, then a pause without a watch: each write of a flood would be an event. */
  #watch(): void {
    this.#watcher = watch(this.path, { persistent: false }, () => {
      this.#watcher?.close();
      this.#watcher = undefined;
      this.#read();
      this.#pause ??= setTimeout(() => {
        this.#pause = undefined;
        this.#watch();
        this.#read(); // what was written before the watch began
      }, pauseMs).unref();
    });
    this.#watcher.on("error", () => {});
  }

  #read(): void {
    const { size } = fstatSync(this.#readFd);
    if (size < this.#offset) this.#offset = 0;
    if (size - this.#offset > bytesPerLook) {
      this.#offset = size - bytesPerLook;
      this.#partial = "";
      this.#dropped++;
    }
    const count =
      size === this.#offset ? 0 : readSync(this.#readFd, this.#buffer, 0, size - this.#offset, this.#offset);
    this.#offset += count;
    if (count > 0) this.#take(this.#buffer.toString("utf8", 0, count));
    if (size <= logLimitBytes) return;
    ftruncateSync(this.#readFd, 0);
    this.#offset = 0;
  }

  #take(text: string): void {
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() ?? "";
    for (const line of lines) this.#line(line);
    while (this.#partial.length > lineLimitBytes) {
      this.#line(this.#partial.slice(0, lineLimitBytes));
      this.#partial = this.#partial.slice(lineLimitBytes);
    }
  }

  #line(line: string): void {
    const short = line.length > lineLimitBytes ? line.slice(0, lineLimitBytes) : line;
    this.#lastLines.push(short);
    if (this.#lastLines.length > lastLinesLimit) this.#lastLines.shift();
    if (this.#withinRate(short.length)) this.#onLine(short);
    else this.#dropped++;
  }

  #withinRate(bytes: number): boolean {
    const now = this.#clock();
    if (now - this.#windowStart >= 1000) {
      this.#windowStart = now;
      this.#linesInWindow = 0;
      this.#bytesInWindow = 0;
    }
    this.#linesInWindow++;
    this.#bytesInWindow += bytes;
    return this.#linesInWindow <= linesPerSecond && this.#bytesInWindow <= bytesPerSecond;
  }
}

function forgetOldGenerations(path: string): void {
  const folder = dirname(path);
  const stem = basename(path).replace(/\.\d+$/, "");
  const generations = readdirSync(folder)
    .filter((name) => name.startsWith(`${stem}.`) && /^\d+$/.test(name.slice(stem.length + 1)))
    .map((name) => Number(name.slice(stem.length + 1)))
    .sort((a, b) => b - a);
  for (const old of generations.slice(keptGenerations - 1)) rmSync(join(folder, `${stem}.${old}`), { force: true });
}
