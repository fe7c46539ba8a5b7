import { HeaderField } from "./header-field.ts";
import { staticIndexOf, staticNameIndexOf } from "./static-table.ts";

/**
 * The field in HPACK, by static index or as a literal that enters no table, without Huffman: such bytes mean the
 * same on every connection, so they can be kept and joined.
 */
export function encodeField(field: HeaderField): Buffer {
  const index = field.neverIndexed ? 0 : staticIndexOf(field.name, field.value);
  if (index !== 0) return Buffer.from([0x80 | index]);
  const pattern = field.neverIndexed ? 0x10 : 0x00;
  const nameIndex = staticNameIndexOf(field.name);
  const name =
    nameIndex === 0
      ? Buffer.concat([Buffer.from([pattern]), encodeString(field.name)])
      : encodeInteger(nameIndex, 4, pattern);
  return Buffer.concat([name, encodeString(field.value)]);
}

/** A header block of `fields`, each encoded once in its life. */
export function encodeFields(fields: readonly HeaderField[]): Buffer {
  return Buffer.concat(fields.map((field) => field.literal(encodeField)));
}

/** A header block of name and value pairs, in latin1. */
export function encodeHeaders(headers: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(headers.map(([name, value]) => encodeField(new HeaderField(name, value))));
}

/** An integer with `prefixBits` in its first byte beside `pattern`, RFC 7541 section 5.1. */
export function encodeInteger(value: number, prefixBits: number, pattern: number): Buffer {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return Buffer.from([pattern | value]);
  const bytes = [pattern | mask];
  let rest = value - mask;
  while (rest >= 128) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

function encodeString(text: string): Buffer {
  return Buffer.concat([encodeInteger(text.length, 7, 0), Buffer.from(text, "latin1")]);
}
