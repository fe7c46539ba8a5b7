/**
 * Puts gRPC messages together from DATA: each is copied once, into a buffer of its own, since DATA is valid only
 * while its frame is read. Owns: the message that is still arriving.
 */
export class MessageAssembly {
  readonly #prefix = Buffer.alloc(5);
  #prefixBytes = 0;
  #message: Buffer | undefined;
  #filled = 0;

  /** Takes bytes and hands each whole message to `onMessage`. Gives what is wrong with a message, if anything is. */
  add(
    bytes: Buffer,
    start: number,
    end: number,
    limitBytes: number,
    onMessage: (message: Buffer) => void,
  ): string | undefined {
    let at = start;
    while (at < end) {
      if (this.#message === undefined) {
        at = this.#readPrefix(bytes, at, end);
        if (this.#prefixBytes < 5) return undefined;
        if (this.#prefix[0] !== 0) return "compressed messages are not supported";
        const length = this.#prefix.readUInt32BE(1);
        if (length > limitBytes) return `grpc: received message larger than max (${length} vs. ${limitBytes})`;
        this.#message = Buffer.allocUnsafe(length);
        this.#filled = 0;
      }
      const taken = Math.min(end - at, this.#message.length - this.#filled);
      bytes.copy(this.#message, this.#filled, at, at + taken);
      at += taken;
      this.#filled += taken;
      if (this.#filled < this.#message.length) return undefined;
      onMessage(this.#message);
      this.#message = undefined;
      this.#prefixBytes = 0;
    }
    return undefined;
  }

  #readPrefix(bytes: Buffer, start: number, end: number): number {
    const taken = Math.min(end - start, 5 - this.#prefixBytes);
    bytes.copy(this.#prefix, this.#prefixBytes, start, start + taken);
    this.#prefixBytes += taken;
    return start + taken;
  }
}
