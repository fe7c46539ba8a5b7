/** A peer broke the protocol so that the whole connection must end with GOAWAY `code`. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** A peer broke the protocol on one stream, which is to be reset with `code`. */
export class StreamError extends Error {
  override readonly name = "StreamError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
