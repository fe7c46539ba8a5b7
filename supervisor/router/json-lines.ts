import type { Socket } from "node:net";

/** Longest line that is read, bytes. */
const lineBytes = 64 * 1024 * 1024;

/**
 * Sends and receives one JSON value a line on `socket`. Values of the peer are trusted: it is holder or control.
 * Owns: the socket's reading side.
 */
export class JsonLines<In, Out> {
  readonly #socket: Socket;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** @param onValue called for each line; a line that is no JSON, or too long, destroys the socket. */
  constructor(socket: Socket, onValue: (value: In) => void) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(chunk, onValue));
  }

  send(value: Out): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(value)}\n`);
  }

  #read(chunk: Buffer, onValue: (value: In) => void): void {
    let start = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, start)) {
      this.#parts.push(chunk.subarray(start, at));
      start = at + 1;
      const line = Buffer.concat(this.#parts).toString("utf8");
      this.#parts = [];
      this.#bytes = 0;
      const value = this.#parse(line);
      if (value === undefined) return;
      onValue(value);
    }
    this.#parts.push(chunk.subarray(start));
    this.#bytes += chunk.length - start;
    if (this.#bytes > lineBytes) this.#socket.destroy(new Error(`a line of more than ${lineBytes} bytes`));
  }

  #parse(line: string): In | undefined {
    try {
      return JSON.parse(line) as In;
    } catch (cause) {
      this.#socket.destroy(new Error("a line that is no JSON", { cause }));
      return undefined;
    }
  }
}
