const simple: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };
const numeric = /\\(?:([0-7]{3})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))/y;

/**
 * The text of a quoted literal, quotes included, that the filter scanner found legal; undefined where an escape
 * names no byte or code point. `\ooo` and `\xhh` are bytes, surrogates become U+FFFD, as in Go.
 */
export function unquoteFilterLiteral(literal: string): string | undefined {
  const body = literal.slice(1, -1);
  if (!body.includes("\\")) return body;
  const parts: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    const escape = body.indexOf("\\", at);
    if (escape !== at) {
      const end = escape === -1 ? body.length : escape;
      parts.push(Buffer.from(body.slice(at, end)));
      at = end;
      continue;
    }
    const decoded = decodeEscape(body, at);
    if (decoded === undefined) return undefined;
    parts.push(decoded.bytes);
    at = decoded.next;
  }
  return Buffer.concat(parts).toString("utf8");
}

function decodeEscape(body: string, at: number): { bytes: Uint8Array; next: number } | undefined {
  numeric.lastIndex = at;
  const match = numeric.exec(body);
  if (match === null) {
    const character = body.charAt(at + 1);
    return { bytes: Buffer.from([simple[character] ?? character.charCodeAt(0)]), next: at + 2 };
  }
  const [whole, octal, byte, short, long] = match;
  const next = at + whole.length;
  const unit = octal === undefined ? byte && Number.parseInt(byte, 16) : Number.parseInt(octal, 8);
  if (typeof unit === "number") return unit > 0xff ? undefined : { bytes: Buffer.from([unit]), next };
  const point = Number.parseInt(short ?? long ?? "", 16);
  return point > 0x10ffff ? undefined : { bytes: Buffer.from(String.fromCodePoint(point)), next };
}
