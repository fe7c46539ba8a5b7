const labelMark = Buffer.from("containerd.io/gc.");
const lengthDelimited = 2;

/**
 * Whether a serialized record may have a label that collections care about. Most have none, and reading those whole
 * would be most of a collection's work.
 */
export function mentionsCollection(record: Uint8Array): boolean {
  return asBuffer(record).includes(labelMark);
}

/** A text field of a serialized record, without reading the rest; "" when it is not there. */
export function textField(record: Uint8Array, wanted: number): string {
  const bytes = asBuffer(record);
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; position < bytes.length; scale *= 128) {
      const byte = bytes[position++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) break;
    }
    return value;
  };
  while (position < bytes.length) {
    const tag = varint();
    // The records meant here begin with their texts; whatever else comes, the field is not there.
    if (tag % 8 !== lengthDelimited) return "";
    const length = varint();
    if (Math.floor(tag / 8) === wanted) return bytes.toString("utf8", position, position + length);
    position += length;
  }
  return "";
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
