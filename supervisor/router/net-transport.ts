import { writeSync } from "node:fs";
import { connect, Socket, type OnReadOpts, type SocketConstructorOpts } from "node:net";
import { readBytes } from "./buffer-pool.ts";
import type { Transport, TransportEvents } from "./transport.ts";

/** How long a peer may keep a connection open that we have ended, and how much it may still send. */
const lingerMs = 1000;
const lingerBytes = 256 * 1024;
/** What a socket mostly takes whole; of what it takes in part the second try would be one too many. */
const smallBytes = 16 * 1024;

/** All sockets read into it: what a read brings is handled before the next one begins. */
let readBuffer: Buffer | undefined;

/** A transport on node:net. Owns: the socket. */
export class NetTransport implements Transport {
  readonly #socket: Socket;
  readonly #onWritten: () => void;
  #events: TransportEvents | undefined;
  refused = false;
  #waiting = false;
  #paused = false;
  /** Since we have ended the connection: what may still come. */
  #lingerBytes: number | undefined;
  #reason = "";

  private constructor(open: (onread: OnReadOpts) => Socket) {
    this.#onWritten = () => {
      // An earlier write's callback may come when a later one has only begun.
      if (!this.#waiting || this.#socket.writableLength > 0) return;
      this.#waiting = false;
      this.#events?.onWritable();
    };
    this.#socket = open({
      buffer: (readBuffer ??= Buffer.allocUnsafeSlow(readBytes)),
      callback: (length, bytes) => {
        if (this.#lingerBytes !== undefined) return this.#drop(length);
        this.#events?.onBytes(bytes as Buffer, length);
        return !this.#paused;
      },
    });
    this.#socket.on("error", (error) => {
      this.#reason = error.message;
    });
  }

  /** Connects to a unix socket; one of the two is called, once. */
  static connect(path: string, connected: (transport: NetTransport) => void, failed: (reason: string) => void): void {
    const transport = new NetTransport((onread) => connect({ path, onread }));
    const onClose = (): void => failed(transport.#reason);
    transport.#socket.once("close", onClose);
    transport.#socket.once("connect", () => {
      transport.#socket.off("close", onClose);
      connected(transport);
    });
  }

  /**
   * Takes over a socket that a server accepted with `pauseOnConnect`. node:net gives no way to have accepted sockets
   * read into a given buffer but to move the handle to a socket that does; without it each read allocates 64 KiB.
   */
  static adopt(accepted: Socket): NetTransport {
    const handle = handleOf(accepted);
    (accepted as unknown as HandleOwner)._handle = null;
    return new NetTransport((onread) => {
      const options = { handle, onread, readable: true, writable: true };
      return new Socket(options as unknown as SocketConstructorOpts);
    });
  }

  start(events: TransportEvents): void {
    this.#events = events;
    this.#socket.on("end", () => events.onEnd());
    this.#socket.on("close", () => events.onClosed(this.#reason));
    this.#socket.resume();
  }

  write(bytes: Buffer, length: number): boolean {
    const written = this.#writeNow(bytes, length);
    if (written === length) return true;
    this.#socket.write(bytes.subarray(written, length), this.#onWritten);
    this.#waiting = this.#socket.writableLength > 0;
    return !this.#waiting;
  }

  /**
   * Answers how much the kernel took. What it takes at once goes past the socket's queue and its bookkeeping, which cost
   * as much as the call into the kernel; the queue is empty whenever we write.
   */
  #writeNow(bytes: Buffer, length: number): number {
    const fd = length > smallBytes ? -1 : (handleOf(this.#socket)?.fd ?? -1);
    if (fd < 0) return 0;
    try {
      return writeSync(fd, bytes, 0, length);
    } catch (error) {
      // Full, or broken, which the socket will find out, too, and tell.
      this.refused = (error as NodeJS.ErrnoException).code !== "EAGAIN";
      return 0;
    }
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
    this.#lingerBytes = lingerBytes;
    this.resume();
    // What the peer still sends is read and dropped, so that it reads our last bytes instead of a reset.
    const cut = setTimeout(() => this.#socket.destroy(), lingerMs);
    this.#socket.once("close", () => clearTimeout(cut));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** One that has much more to say is a flood, and gets no reading of it. */
  #drop(length: number): boolean {
    this.#lingerBytes = (this.#lingerBytes ?? 0) - length;
    if (this.#lingerBytes >= 0) return true;
    this.#socket.destroy();
    return false;
  }
}

interface HandleOwner {
  _handle: { readonly fd: number } | null;
}

/** What node:net keeps of the kernel's socket; null: it is closed. */
function handleOf(socket: Socket): HandleOwner["_handle"] {
  return (socket as unknown as HandleOwner)._handle;
}
