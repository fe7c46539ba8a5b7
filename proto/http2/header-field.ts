/** Bytes that RFC 7541 section 4.1 adds to each field's size. */
export const fieldOverheadBytes = 32;

/** One header field; immutable but for its memo. Names and values are latin1: one character a byte. */
export class HeaderField {
  readonly name: string;
  readonly value: string;
  /** Size as RFC 7541 counts it. */
  readonly sizeBytes: number;
  /** Must not enter any compression table on the way (RFC 7541 section 7.1.3). */
  readonly neverIndexed: boolean;
  /** What a reader of fields worked out about this one; fields in tables are met again and again. */
  memo = 0;
  #literal: Buffer | undefined;

  constructor(name: string, value: string, neverIndexed = false) {
    this.name = name;
    this.value = value;
    this.sizeBytes = name.length + value.length + fieldOverheadBytes;
    this.neverIndexed = neverIndexed;
  }

  /** The field in HPACK without any dynamic table, made once. */
  literal(encode: (field: HeaderField) => Buffer): Buffer {
    return (this.#literal ??= encode(this));
  }
}
