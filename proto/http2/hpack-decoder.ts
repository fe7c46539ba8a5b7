import { errorCodes } from "./constants.ts";
import { DynamicTable } from "./dynamic-table.ts";
import { HeaderField } from "./header-field.ts";
import { decodeHuffman } from "./huffman.ts";
import { latin1Of } from "./latin1.ts";
import { ConnectionError } from "./protocol-error.ts";
import { staticTable } from "./static-table.ts";

/** A list that is so many times longer than the limit is not read to its end. */
const hopelessFactor = 16;

/**
 * Decodes header blocks of one connection (RFC 7541). All blocks must pass through it in order.
 * Every method throws ConnectionError (COMPRESSION_ERROR) on a broken block; the connection must then end.
 */
export class HpackDecoder {
  /** Rises when the dynamic table changes: what was decoded by index before may mean something else now. */
  mutations = 0;
  /** Size of the last decoded list as RFC 7541 counts it. */
  listBytes = 0;
  readonly #table: DynamicTable;
  readonly #maxTableBytes: number;
  #at = 0;

  /** @param maxTableBytes SETTINGS_HEADER_TABLE_SIZE as announced to the peer. */
  constructor(maxTableBytes: number) {
    this.#maxTableBytes = maxTableBytes;
    this.#table = new DynamicTable(maxTableBytes);
  }

  /**
   * The fields of the block `bytes[start..end)`. Fields come from tables where the peer used an index. A list longer than
   * `limitBytes` is read, since the table must see it, but only its beginning is given; one that is longer by far, as a
   * block of indices of one large field is, throws ConnectionError (ENHANCE_YOUR_CALM).
   */
  decode(bytes: Buffer, start: number, end: number, limitBytes = Number.POSITIVE_INFINITY): HeaderField[] {
    const fields: HeaderField[] = [];
    let listBytes = 0;
    this.#at = start;
    while (this.#at < end) {
      const first = bytes[this.#at] ?? 0;
      if ((first & 0xe0) === 0x20) {
        if (listBytes > 0) throw broken("a table size update after the first field");
        this.#resize(this.#integer(bytes, end, 5));
        continue;
      }
      const field = (first & 0x80) === 0 ? this.#literal(bytes, end, first) : this.#field(this.#integer(bytes, end, 7));
      listBytes += field.sizeBytes;
      if (listBytes <= limitBytes) fields.push(field);
      else if (listBytes > limitBytes * hopelessFactor) throw hopeless(limitBytes);
    }
    this.listBytes = listBytes;
    return fields;
  }

  #literal(bytes: Buffer, end: number, first: number): HeaderField {
    const indexed = (first & 0x40) !== 0;
    const nameIndex = this.#integer(bytes, end, indexed ? 6 : 4);
    const name = nameIndex === 0 ? this.#string(bytes, end) : this.#field(nameIndex).name;
    const field = new HeaderField(name, this.#string(bytes, end), !indexed && (first & 0x10) !== 0);
    if (indexed) {
      this.mutations++;
      this.#table.insert(field);
    }
    return field;
  }

  #field(index: number): HeaderField {
    const field = index <= staticTable.length ? staticTable[index - 1] : this.#table.at(index - staticTable.length - 1);
    if (field === undefined) throw broken(`index ${index} is in no table`);
    return field;
  }

  #resize(limitBytes: number): void {
    if (limitBytes > this.#maxTableBytes) {
      throw broken(`table size ${limitBytes} is over the announced ${this.#maxTableBytes}`);
    }
    this.mutations++;
    this.#table.resize(limitBytes);
  }

  #string(bytes: Buffer, end: number): string {
    const huffman = ((bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(bytes, end, 7);
    const start = this.#at;
    if (start + length > end) throw broken("a string that is longer than its block");
    this.#at = start + length;
    if (!huffman) return latin1Of(bytes, start, this.#at);
    const text = decodeHuffman(bytes, start, this.#at);
    if (text === undefined) throw broken("a broken Huffman code");
    return text;
  }

  #integer(bytes: Buffer, end: number, prefixBits: number): number {
    if (this.#at >= end) throw broken("a block that ends inside a field");
    const mask = (1 << prefixBits) - 1;
    let value = (bytes[this.#at++] ?? 0) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= end) throw broken("a block that ends inside a number");
      const byte = bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value;
    }
    throw broken("a number of more than 28 bits");
  }
}

function hopeless(limitBytes: number): ConnectionError {
  const text = `header list of more than ${hopelessFactor} times the limit of ${limitBytes} bytes`;
  return new ConnectionError(errorCodes.enhanceYourCalm, text);
}

function broken(what: string): ConnectionError {
  return new ConnectionError(errorCodes.compressionError, `header block has ${what}`);
}
