import { closeSync } from "node:fs";
import { onceReady, receiveNow } from "#linux";

/** Bytes before the newline that a readiness line may have. */
const limitBytes = 4096;
const newline = 10;

/** The newline by which a process says that it is ready. Owns: our end of its descriptor. */
export class ReadinessLine implements Disposable {
  readonly #seen = Promise.withResolvers<void>();
  readonly #buffer = Buffer.alloc(limitBytes);
  #fd: number;
  #bytes = 0;
  #endWatch = (): void => {};

  /** Takes over `fd`, a socket. */
  constructor(fd: number) {
    this.#fd = fd;
    this.#watch();
  }

  /** Resolves with the newline; never when it does not come. */
  get seen(): Promise<void> {
    return this.#seen.promise;
  }

  /** Reads what is there: what a process wrote before its end is seen before that. */
  look(): void {
    if (this.#fd === -1) return;
    const got = receive(this.#fd, this.#buffer);
    if (got === undefined) return;
    this.#bytes += got;
    const found = this.#buffer.subarray(0, got).includes(newline);
    if (found) this.#seen.resolve();
    if (found || got === 0 || this.#bytes >= limitBytes) this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#endWatch();
    if (this.#fd !== -1) closeSync(this.#fd);
    this.#fd = -1;
  }

  #watch(): void {
    this.#endWatch = onceReady(this.#fd, "readable", () => {
      this.look();
      if (this.#fd !== -1) this.#watch();
    });
  }
}

/** A socket that broke has ended. */
function receive(fd: number, buffer: Buffer): number | undefined {
  try {
    return receiveNow(fd, buffer);
  } catch {
    return 0;
  }
}
