import { constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { isLinuxError, makeNode, nodeTypes } from "#linux";

/**
 * The FIFO that a shim writes its log to, copied to where this package's own lines go. Opened for writing, too, so that
 * neither side ever waits for the other, and without a thread. Owns: the open FIFO.
 */
export class ShimLog implements Disposable {
  readonly #socket: Socket;

  private constructor(socket: Socket, isKept: boolean) {
    this.#socket = socket;
    socket.on("error", () => {}); // a log that cannot be read is no reason to lose the shim
    socket.on("data", (chunk: Buffer) => isKept && process.stderr.write(chunk));
  }

  /** Makes a FIFO unless it is there, and opens it; `isKept`: whether what comes is not dropped. Throws what the system says. */
  static open(path: string, { isKept = true } = {}): ShimLog {
    try {
      makeNode(path, nodeTypes.fifo | 0o700);
    } catch (error) {
      if (!isLinuxError(error, "EEXIST")) throw error;
    }
    const { O_RDWR, O_NONBLOCK, O_NOFOLLOW } = constants;
    const fd = openSync(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
    return new ShimLog(new Socket({ fd, readable: true, writable: false }), isKept);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
