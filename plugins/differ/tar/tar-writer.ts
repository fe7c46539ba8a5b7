import { blockBytes, typeFlags } from "./header.ts";

/** What Go's writer puts into one entry. Names and texts have a character a byte. */
export interface NewHeader {
  readonly name: string;
  readonly linkName: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since the epoch. */
  readonly modifiedSeconds: number;
  readonly major: number;
  readonly minor: number;
  /** More PAX records. */
  readonly records: ReadonlyMap<string, string>;
}

const nameBytes = 100;
const prefixBytes = 155;
const notAscii = /[\u0080-\u00ff]/g;

function isAscii(text: string): boolean {
  return text.search(notAscii) < 0;
}

/** The blocks before an entry's data, byte for byte as Go's archive/tar writes them: PAX only where ustar is not enough. */
export function encodeHeader(header: NewHeader): Buffer {
  const records = paxRecordsOf(header);
  const split = splitName(header.name);
  if (fitsUstar(records, split !== undefined)) return mainBlock(header, split);
  return Buffer.concat([paxEntry(header.name, records), mainBlock(header, undefined)]);
}

/** Zeros that fill the last block of data. */
export function paddingAfter(bytes: number): number {
  return (blockBytes - (bytes % blockBytes)) % blockBytes;
}

/** Two blocks of zeros end an archive. */
export const endBytes = 2 * blockBytes;

function paxRecordsOf(header: NewHeader): Map<string, string> {
  const records = new Map(header.records);
  const addText = (key: string, text: string): void => {
    if (text.length > nameBytes || !isAscii(text)) records.set(key, text);
  };
  const addNumber = (key: string, value: number, width: number): void => {
    if (!fitsOctal(value, width)) records.set(key, String(value));
  };
  addText("path", header.name);
  addText("linkpath", header.linkName);
  addNumber("uid", header.uid, 8);
  addNumber("gid", header.gid, 8);
  addNumber("size", header.size, 12);
  addNumber("mtime", header.modifiedSeconds, 12);
  return records;
}

function fitsUstar(records: ReadonlyMap<string, string>, canSplit: boolean): boolean {
  return records.size === 0 || (records.size === 1 && records.has("path") && canSplit);
}

/** A long name in the two fields of ustar; undefined: it does not fit, or is not ASCII. */
function splitName(name: string): { prefix: string; name: string } | undefined {
  if (!isAscii(name) || name.length <= nameBytes) return undefined;
  let length = Math.min(name.length, prefixBytes + 1);
  if (name.length === length && name.endsWith("/")) length--;
  const slash = name.lastIndexOf("/", length - 1);
  const rest = name.length - slash - 1;
  if (slash <= 0 || rest > nameBytes || rest === 0 || slash > prefixBytes) return undefined;
  return { prefix: name.slice(0, slash), name: name.slice(slash + 1) };
}

function fitsOctal(value: number, width: number): boolean {
  return value >= 0 && value < 8 ** (width - 1);
}

function mainBlock(header: NewHeader, split: { prefix: string; name: string } | undefined): Buffer {
  const block = Buffer.alloc(blockBytes);
  putText(block, 0, nameBytes, split?.name ?? header.name);
  putOctal(block, 100, 8, header.mode);
  putOctal(block, 108, 8, header.uid);
  putOctal(block, 116, 8, header.gid);
  putOctal(block, 124, 12, header.size);
  putOctal(block, 136, 12, header.modifiedSeconds);
  block.write(header.type, 156, "latin1");
  putText(block, 157, nameBytes, header.linkName);
  putOctal(block, 329, 8, header.major);
  putOctal(block, 337, 8, header.minor);
  if (split !== undefined) putText(block, 345, prefixBytes, split.prefix);
  return sealed(block);
}

function paxEntry(name: string, records: ReadonlyMap<string, string>): Buffer {
  const sorted = [...records].toSorted(([one], [other]) => (one < other ? -1 : 1));
  const data = Buffer.from(sorted.map(([key, value]) => paxRecord(key, value)).join(""), "latin1");
  const slash = name.lastIndexOf("/") + 1;
  const own = `${name.slice(0, slash)}PaxHeaders.0/${name.slice(slash)}`;
  const block = Buffer.alloc(blockBytes);
  putText(block, 0, nameBytes, own.replace(notAscii, "").slice(0, nameBytes).replace(/\/+$/, ""));
  for (const [at, width, value] of [
    [100, 8, 0],
    [108, 8, 0],
    [116, 8, 0],
    [124, 12, data.length],
    [136, 12, 0],
  ] as const) {
    putOctal(block, at, width, value);
  }
  block.write(typeFlags.pax, 156, "latin1");
  return Buffer.concat([sealed(block), data, Buffer.alloc(paddingAfter(data.length))]);
}

/** `<length> <key>=<value>\n`, where the length counts its own digits, too. */
function paxRecord(key: string, value: string): string {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function putText(block: Buffer, at: number, width: number, text: string): void {
  const ascii = text.replace(notAscii, "");
  block.write(ascii, at, width, "latin1");
  // A cut name must not look like that of a folder.
  if (ascii.length <= width || block[at + width - 1] !== 0x2f) return;
  block[at + ascii.slice(0, width).replace(/\/+$/, "").length] = 0;
}

function putOctal(block: Buffer, at: number, width: number, value: number): void {
  const digits = (fitsOctal(value, width) ? value : 0).toString(8);
  block.write(digits.padStart(width - 1, "0"), at, "latin1");
}

/** With magic and checksum. */
function sealed(block: Buffer): Buffer {
  block.write("ustar\0" + "00", 257, "latin1");
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  putOctal(block, 148, 7, sum);
  block[154] = 0;
  return block;
}
