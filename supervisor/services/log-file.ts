import { open, type FileHandle } from "node:fs/promises";

/** Bytes read at a time. */
const chunkBytes = 64 * 1024;

/** A log file read from an offset on. Owns: its descriptor. */
export class LogFile implements AsyncDisposable {
  readonly #handle: FileHandle;
  #offset: number;

  private constructor(handle: FileHandle, offset: number) {
    this.#handle = handle;
    this.#offset = offset;
  }

  /** Undefined when there is no such file: nothing was written yet. */
  static async open(path: string, offset: number): Promise<LogFile | undefined> {
    try {
      return new LogFile(await open(path, "r"), offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Bytes in the file now. */
  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  /** Everything from the offset to the present end; from the start if the file was truncated at its limit. */
  async *readAvailable(): AsyncGenerator<Uint8Array> {
    if ((await this.size()) < this.#offset) this.#offset = 0;
    for (;;) {
      const chunk = await this.#readAt(this.#offset, chunkBytes);
      if (chunk.length === 0) return;
      this.#offset += chunk.length;
      yield chunk;
    }
  }

  /**
   * Where the last `lines` lines begin, at most `limitBytes` before the end, and how many lines that is. A last
   * line without its newline counts.
   */
  async findLastLines(lines: number, limitBytes: number): Promise<{ offset: number; lines: number; bytes: number }> {
    const size = await this.size();
    const floor = Math.max(0, size - limitBytes);
    let found = 0;
    for (let end = size; end > floor; ) {
      const start = Math.max(floor, end - chunkBytes);
      const chunk = await this.#readAt(start, end - start);
      for (let at = chunk.lastIndexOf(0x0a); at >= 0; at = at === 0 ? -1 : chunk.lastIndexOf(0x0a, at - 1)) {
        if (start + at === size - 1) continue; // ends the last line, begins none
        found += 1;
        if (found === lines) return { offset: start + at + 1, lines, bytes: size - start - at - 1 };
      }
      end = start;
    }
    return { offset: floor, lines: size > floor ? found + 1 : 0, bytes: size - floor };
  }

  async #readAt(position: number, length: number): Promise<Buffer> {
    const { buffer, bytesRead } = await this.#handle.read({ buffer: Buffer.alloc(length), position });
    return buffer.subarray(0, bytesRead);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
