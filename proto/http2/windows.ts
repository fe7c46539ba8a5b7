import { errorCodes, maxWindowBytes } from "./constants.ts";

/** The receiving end of one flow-control window: what the peer may still send, and when to let it send more. */
export class ReceiveWindow {
  #sizeBytes: number;
  #leftBytes: number;
  #uncreditedBytes = 0;

  /** @param sizeBytes the window as announced. */
  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#leftBytes = sizeBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Has later credits lead to a window of `sizeBytes`: they announce more at once, or nothing for a while. */
  resize(sizeBytes: number): void {
    this.#uncreditedBytes += sizeBytes - this.#sizeBytes;
    this.#sizeBytes = sizeBytes;
  }

  /** Counts arrived bytes; false: the peer sent more than its window, a flow-control error. */
  receive(bytes: number): boolean {
    this.#leftBytes -= bytes;
    return this.#leftBytes >= 0;
  }

  /** Gives bytes back. Answers the increment to announce now, 0 while it is not worth a frame. */
  credit(bytes: number): number {
    this.#uncreditedBytes += bytes;
    if (this.#uncreditedBytes * 2 < this.#sizeBytes) return 0;
    const increment = this.#uncreditedBytes;
    this.#uncreditedBytes = 0;
    this.#leftBytes += increment;
    return increment;
  }
}

/** A sending window after WINDOW_UPDATE; undefined when it grew over what the protocol can count. */
export function growWindow(windowBytes: number, increment: number): number | undefined {
  const grown = windowBytes + increment;
  return grown > maxWindowBytes ? undefined : grown;
}

/** Code of a window that overflowed or was overrun. */
export const windowErrorCode: number = errorCodes.flowControlError;
