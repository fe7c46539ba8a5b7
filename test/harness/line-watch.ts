import type { Readable } from "node:stream";
import { within } from "./deadline.ts";

/** How much of the output an error shows. */
const shownLines = 200;

/** Keeps what a process wrote and tells when a line comes. */
export class LineWatch {
  readonly lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  #rest = "";
  #ended = false;

  constructor(...streams: readonly Readable[]) {
    let open = streams.length;
    for (const stream of streams) {
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => this.#add(text));
      stream.on("close", () => {
        open -= 1;
        if (open === 0) this.#end();
      });
    }
  }

  /** Everything written, or the last lines of it when that is much. */
  get text(): string {
    const shown = this.lines.slice(-shownLines);
    const dropped = this.lines.length - shown.length;
    const before = dropped > 0 ? [`(${dropped} lines before)`] : [];
    return [...before, ...shown, ...(this.#rest === "" ? [] : [this.#rest])].join("\n");
  }

  /** The first line that matches, past or to come. Rejects when the output ends or the time is up. */
  async waitFor(pattern: RegExp, ms?: number): Promise<string> {
    return this.waitForNth(pattern, 1, ms);
  }

  /** The nth (from 1) line that matches, past or to come. */
  async waitForNth(pattern: RegExp, nth: number, ms?: number): Promise<string> {
    let matches = 0;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let seen = 0;
    const look = (): void => {
      for (; seen < this.lines.length; seen++) {
        const line = this.lines[seen] ?? "";
        if (pattern.test(line) && ++matches === nth) return resolve(line);
      }
      if (this.#ended) reject(new Error(`output ended without ${String(pattern)}:\n${this.text}`));
    };
    this.#waiting.add(look);
    look();
    try {
      return await within(`a line like ${String(pattern)}`, promise, ms);
    } catch (cause) {
      throw new Error(`${(cause as Error).message}\noutput so far:\n${this.text}`, { cause });
    } finally {
      this.#waiting.delete(look);
    }
  }

  #add(text: string): void {
    const parts = (this.#rest + text).split("\n");
    this.#rest = parts.pop() ?? "";
    this.lines.push(...parts);
    for (const look of this.#waiting) look();
  }

  #end(): void {
    this.#ended = true;
    for (const look of this.#waiting) look();
  }
}
