import type { FileTime } from "#linux";
import { invalidHeader, tarError } from "./tar-error.ts";

/** Records of one PAX extended header, values a character a byte; the last of a key counts. */
export type PaxRecords = Map<string, string>;

const sparseOffset = "GNU.sparse.offset";
const sparseBytes = "GNU.sparse.numbytes";
/** Where the pairs of sparse format 0.0 are gathered, in the form of 0.1. */
export const sparseMapKey = "GNU.sparse.map";

const textKeys = new Set(["path", "linkpath", "uname", "gname"]);

/** Reads `<length> <key>=<value>\n` records (pax, POSIX.1-2001). Throws for a malformed one. */
export function parsePaxRecords(data: Buffer): PaxRecords {
  const records: PaxRecords = new Map();
  const sparse: string[] = [];
  for (let at = 0; at < data.length; ) {
    const { key, value, end } = recordAt(data, at);
    at = end;
    if (key === sparseOffset || key === sparseBytes) {
      if ((key === sparseOffset) !== (sparse.length % 2 === 0) || value.includes(",")) throw tarError(invalidHeader);
      sparse.push(value);
    } else {
      records.set(key, value);
    }
  }
  if (sparse.length > 0) records.set(sparseMapKey, sparse.join(","));
  return records;
}

function recordAt(data: Buffer, at: number): { key: string; value: string; end: number } {
  const blank = data.indexOf(0x20, at);
  const length = blank < 0 || blank - at > 10 ? "" : data.toString("latin1", at, blank);
  const end = at + (/^\d+$/.test(length) ? Number(length) : 0);
  const equals = blank < 0 ? -1 : data.indexOf(0x3d, blank);
  const isWhole = end - at >= 5 && end <= data.length && data[end - 1] === 0x0a;
  if (!isWhole || equals <= blank + 1 || equals >= end) throw tarError(invalidHeader);
  const key = data.toString("latin1", blank + 1, equals);
  const value = data.toString("latin1", equals + 1, end - 1);
  if ((textKeys.has(key) ? value : key).includes("\0")) throw tarError(invalidHeader);
  return { key, value, end };
}

/** A time record like `1700000000.123456789`; digits after the ninth are dropped. Throws for anything else. */
export function paxTime(text: string): FileTime {
  const [, sign, whole = "", fraction = ""] = /^([+-]?)(\d{1,19})(?:\.(\d*))?$/.exec(text) ?? [];
  const seconds = Number(whole);
  if (sign === undefined || seconds >= 2 ** 63) throw tarError(invalidHeader);
  const nanos = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign !== "-") return { seconds, nanos };
  return nanos === 0 ? { seconds: -seconds, nanos } : { seconds: -seconds - 1, nanos: 1e9 - nanos };
}
