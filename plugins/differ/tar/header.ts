import type { FileTime } from "#linux";
import { decimal, decimalWord, numberField, textField, wordField } from "./fields.ts";
import { paxTime, type PaxRecords } from "./pax-records.ts";
import { invalidHeader, tarError } from "./tar-error.ts";

export const blockBytes = 512;

/** Type flags of tar that mean something here. */
export const typeFlags = {
  regular: "0",
  oldRegular: "\0",
  hardLink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  folder: "5",
  fifo: "6",
  gnuSparse: "S",
  gnuLongName: "L",
  gnuLongLink: "K",
  pax: "x",
  paxGlobal: "g",
} as const;

/** Types that have no data, whatever their size field says. */
const headerOnly = new Set<string>(["1", "2", "3", "4", "5", "6"]);

/** One entry of an archive. Names and texts have a character a byte. */
export interface TarHeader {
  name: string;
  linkName: string;
  /** One of `typeFlags`, or what the archive says. */
  type: string;
  /** Permission bits, perhaps with type bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of the file; of a sparse one with its holes. */
  size: number;
  /** Bytes of data that follow in the archive. */
  dataBytes: number;
  modified: FileTime;
  accessed: FileTime | undefined;
  major: number;
  minor: number;
  pax: PaxRecords | undefined;
}

/** The checksum field counts as spaces; old archives summed signed bytes. */
export function isSumRight(block: Buffer): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < blockBytes; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const sum = numberField(block, 148, 8);
  return sum === unsigned || sum === signed;
}

/** Reads a header block of the formats v7, ustar, star and GNU. Throws for a wrong sum or field. */
export function parseHeader(block: Buffer): TarHeader {
  if (!isSumRight(block)) throw tarError(invalidHeader);
  const magic = block.toString("latin1", 257, 263);
  const size = numberField(block, 124, 12);
  if (size < 0) throw tarError(invalidHeader);
  const header: TarHeader = {
    name: textField(block, 0, 100),
    mode: wordField(block, 100, 8),
    uid: wordField(block, 108, 8),
    gid: wordField(block, 116, 8),
    size,
    dataBytes: 0,
    modified: { seconds: numberField(block, 136, 12), nanos: 0 },
    accessed: undefined,
    type: block.toString("latin1", 156, 157),
    linkName: textField(block, 157, 100),
    major: 0,
    minor: 0,
    pax: undefined,
  };
  if (magic === "ustar\0") addUstarFields(header, block);
  else if (magic === "ustar " && block.toString("latin1", 263, 265) === " \0") addGnuFields(header, block);
  header.dataBytes = dataBytesOf(header);
  return header;
}

function addDevice(header: TarHeader, block: Buffer): void {
  header.major = wordField(block, 329, 8);
  header.minor = wordField(block, 337, 8);
}

function addUstarFields(header: TarHeader, block: Buffer): void {
  addDevice(header, block);
  const isStar = block.toString("latin1", 508, 512) === "tar\0";
  if (isStar) header.accessed = { seconds: numberField(block, 476, 12), nanos: 0 };
  const prefix = textField(block, 345, isStar ? 131 : 155);
  if (prefix !== "") header.name = `${prefix}/${header.name}`;
}

function addGnuFields(header: TarHeader, block: Buffer): void {
  addDevice(header, block);
  try {
    const accessed = optionalTime(block, 345);
    optionalTime(block, 357);
    header.accessed = accessed;
  } catch {
    // As Go reads what a Go of long ago wrote: a prefix where GNU has times.
    const prefix = textField(block, 345, 155);
    if (/^[\0-\x7f]+$/.test(prefix)) header.name = `${prefix}/${header.name}`;
  }
}

function optionalTime(block: Buffer, start: number): FileTime | undefined {
  return block[start] === 0 ? undefined : { seconds: numberField(block, start, 12), nanos: 0 };
}

/** What an extended header says instead; an empty value leaves the field as it was. */
export function applyPax(header: TarHeader, records: PaxRecords): void {
  header.pax = records;
  const text = (key: string): string | undefined => records.get(key) || undefined;
  header.name = text("path") ?? header.name;
  header.linkName = text("linkpath") ?? header.linkName;
  const [uid, gid, size] = [text("uid"), text("gid"), text("size")];
  const [modified, accessed] = [text("mtime"), text("atime")];
  if (uid !== undefined) header.uid = decimalWord(uid);
  if (gid !== undefined) header.gid = decimalWord(gid);
  if (size !== undefined) header.size = decimal(size);
  if (modified !== undefined) header.modified = paxTime(modified);
  if (accessed !== undefined) header.accessed = paxTime(accessed);
  const changed = text("ctime"); // nobody sets it, but it must be one
  if (changed !== undefined) paxTime(changed);
  if (header.size < 0) throw tarError(invalidHeader);
  header.dataBytes = dataBytesOf(header);
}

/** Once names are final: the oldest archives mark folders by a slash at the end. */
export function settleType(header: TarHeader): void {
  if (header.type !== typeFlags.oldRegular) return;
  header.type = header.name.endsWith("/") ? typeFlags.folder : typeFlags.regular;
}

function dataBytesOf({ type, size }: TarHeader): number {
  return headerOnly.has(type) ? 0 : size;
}
