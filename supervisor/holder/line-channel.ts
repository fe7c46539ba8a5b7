import type { Duplex } from "node:stream";

/** Bytes one line may have; the config is the largest. */
const lineLimitBytes = 32 * 1024 * 1024;

export interface LineChannelListener<In> {
  readonly onMessage: (message: In) => void;
  /** Called once, when either side closed it, it broke, or the other side sent what is no JSON line. */
  readonly onClosed: (reason: string) => void;
}

/**
 * JSON lines both ways over a stream: the channel between holder, control and router. Messages are as the type
 * parameters say, since both ends come from one release. Owns: the stream.
 */
export class LineChannel<In, Out> {
  readonly #stream: Duplex;
  readonly #listener: LineChannelListener<In>;
  #pieces: string[] = [];
  #held = 0;
  #closed = false;

  constructor(stream: Duplex, listener: LineChannelListener<In>) {
    this.#stream = stream;
    this.#listener = listener;
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => this.#take(text));
    stream.on("error", (error) => this.close(error.message));
    stream.on("end", () => this.close("closed by the other side"));
    stream.on("close", () => this.close("closed"));
  }

  /** Sends a message; silently dropped once the channel is closed (`onClosed` has said so). */
  send(message: Out): void {
    if (!this.#closed) this.#stream.write(`${JSON.stringify(message)}\n`);
  }

  /** Closes the stream; `onClosed` hears the reason. */
  close(reason = "closed here"): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.destroy();
    this.#listener.onClosed(reason);
  }

  #take(text: string): void {
    let start = 0;
    for (let end = text.indexOf("\n"); end !== -1 && !this.#closed; end = text.indexOf("\n", start)) {
      const line = [...this.#pieces, text.slice(start, end)].join("");
      this.#pieces = [];
      this.#held = 0;
      start = end + 1;
      this.#deliver(line);
    }
    if (start === text.length || this.#closed) return;
    this.#pieces.push(text.slice(start));
    this.#held += text.length - start;
    if (this.#held > lineLimitBytes) this.close(`a line is longer than ${lineLimitBytes} bytes`);
  }

  #deliver(line: string): void {
    let message: In;
    try {
      message = JSON.parse(line) as In;
    } catch (error) {
      this.close(`not a JSON line: ${String(error)}`);
      return;
    }
    this.#listener.onMessage(message);
  }
}
