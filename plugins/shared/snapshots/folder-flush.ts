import { close, fsync, openSync } from "node:fs";
import { promisify } from "node:util";

/**
 * Puts the names in a folder on disk; those who ask while it is being done share the next one. Owns: a descriptor of
 * the folder.
 */
export class FolderFlush implements AsyncDisposable {
  readonly #fd: number;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #begun: Promise<void> | undefined;

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

  /** The same, for `begun` to wait for. */
  begin(): void {
    this.#begun = this.flush();
    this.#begun.catch(() => {}); // `begun` tells of it
  }

  /** Resolves when what was begun is done; what failed once rejects from then on. */
  async begun(): Promise<void> {
    await this.#begun;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#running, this.#next]);
    await promisify(close)(this.#fd);
  }

  #start(): Promise<void> {
    this.#next = undefined;
    this.#running = promisify(fsync)(this.#fd).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}
