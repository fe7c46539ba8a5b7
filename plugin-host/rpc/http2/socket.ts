import { writeSync } from "node:fs";
import { connect, Socket, type OnReadOpts, type SocketConstructorOpts } from "node:net";

const readBytes = 64 * 1024;
/** What a socket mostly takes whole; of what it takes in part the second try would be one too many. */
const smallBytes = 16 * 1024;

/** What node:net keeps in a socket that a server accepted. */
type Accepted = Socket & { _handle: { readonly fd: number } | null; _server: unknown };

/** All sockets read into it: what a read brings is handled before the next one begins. */
let readBuffer: Buffer | undefined;

/**
 * A unix socket that reads into memory of the process instead of 64 KiB of its own for each read, from `resume` on.
 * Owns: the socket, until a session takes it.
 */
export class ReadingSocket {
  readonly socket: Socket;
  /** Hears of what arrives; the bytes are valid only during the call. */
  onBytes: ((bytes: Buffer, length: number) => void) | undefined;

  private constructor(open: (onread: OnReadOpts) => Socket) {
    this.socket = open({
      buffer: (readBuffer ??= Buffer.allocUnsafeSlow(readBytes)),
      callback: (length, bytes) => {
        this.onBytes?.(bytes as Buffer, length);
        return true;
      },
    });
  }

  /**
   * Writes `bytes[0..length)`. True: the kernel took all. False: it takes the rest later, `onWritten` being called then;
   * nothing may be written before. What is small goes past the socket's queue, whose bookkeeping costs as much as the
   * call into the kernel.
   */
  write(bytes: Buffer, length: number, onWritten: () => void): boolean {
    const written = length > smallBytes ? 0 : this.#writeNow(bytes, length);
    if (written === length) return true;
    this.socket.write(bytes.subarray(written, length), onWritten);
    return this.socket.writableLength === 0;
  }

  #writeNow(bytes: Buffer, length: number): number {
    const fd = (this.socket as Accepted)._handle?.fd ?? -1;
    if (fd < 0) return 0;
    try {
      return writeSync(fd, bytes, 0, length);
    } catch {
      // It is full, or broken: the socket finds out which.
      return 0;
    }
  }

  static connect(path: string): ReadingSocket {
    return new ReadingSocket((onread) => connect({ path, onread }).pause());
  }

  /**
   * Takes over a socket that a server accepted with `pauseOnConnect`: node:net has accepted sockets read into a given
   * buffer only if the handle moves to a socket that does.
   */
  static adopt(accepted: Socket): ReadingSocket {
    const source = accepted as Accepted;
    const { _handle: handle, _server: server } = source;
    source._handle = null;
    source._server = null; // which counts its sockets, and closes when the last one has
    return new ReadingSocket((onread) => {
      const options = { handle, onread, readable: true, writable: true };
      return Object.assign(new Socket(options as unknown as SocketConstructorOpts), { _server: server });
    });
  }
}
