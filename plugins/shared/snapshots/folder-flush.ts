import { close, fsync, openSync } from "node:fs";
import { promisify } from "node:util";

/** Milliseconds in which others may come that share a flush nobody waits for. */
const oweMs = 20;

/**
 * Puts the names in a folder on disk; those who ask while it is being done share the next one. Owns: a descriptor of
 * the folder.
 */
export class FolderFlush implements AsyncDisposable {
  readonly #fd: number;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #paid: Promise<void> | undefined;

  /** Throws the system's error. */
  constructor(folder: string) {
    this.#fd = openSync(folder, "r");
  }

  /** Resolves when every name that is in the folder by now is on disk, with what was made in it before. */
  flush(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  /** Has it done in a moment, for `owed` to wait for. */
  owe(): void {
    this.#timer ??= setTimeout(() => this.#pay(), oweMs);
  }

  /** Resolves when all that is owed is done; what failed once rejects from then on. */
  async owed(): Promise<void> {
    if (this.#timer !== undefined) this.#pay();
    await this.#paid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer !== undefined) this.#pay();
    await Promise.allSettled([this.#running, this.#next]);
    await promisify(close)(this.#fd);
  }

  #pay(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#paid = this.flush();
    this.#paid.catch(() => {}); // `owed` tells of it
  }

  #start(): Promise<void> {
    this.#next = undefined;
    this.#running = promisify(fsync)(this.#fd).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}
