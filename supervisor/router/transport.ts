/** What a transport reports; all calls come from the event loop, never from inside `write`. */
export interface TransportEvents {
  /** `bytes[0..length)` arrived; valid only during the call. */
  onBytes(bytes: Buffer, length: number): void;
  /** What `write` kept has been given to the kernel. */
  onWritable(): void;
  /** The peer will send no more. */
  onEnd(): void;
  /** Nothing will be read or written any more; called once. */
  onClosed(reason: string): void;
}

/**
 * One byte stream: node:net today, other engines later. Owns: the socket.
 */
export interface Transport {
  /** Begins to report. */
  start(events: TransportEvents): void;
  /**
   * Writes `bytes[0..length)`. True: the kernel took all, the buffer is the caller's again. False: the transport keeps
   * the buffer until `onWritable`; nothing may be written before.
   */
  write(bytes: Buffer, length: number): boolean;
  /** The peer is gone, as the last `write` found out: the kernel took nothing of it and takes nothing more. */
  readonly refused: boolean;
  /** Reports no more bytes, the end included, until `resume`. */
  pause(): void;
  resume(): void;
  /** Closes once what was written has gone out. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}
