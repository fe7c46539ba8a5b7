/** One entry of a made archive; names and texts have a character a byte. */
export interface MadeEntry {
  readonly name: string;
  /** Type flag; default a plain file. */
  readonly type?: string;
  readonly data?: Buffer | string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds. */
  readonly mtime?: number;
  readonly link?: string;
  readonly major?: number;
  readonly minor?: number;
  /** Records of an extended header before the entry, in this order. */
  readonly pax?: readonly (readonly [string, string | Buffer])[];
  /** Size field, where it is not that of the data. */
  readonly size?: number;
  readonly form?: "ustar" | "gnu" | "v7";
  readonly prefix?: string;
  /** Changes the finished header block, before its sum. */
  readonly patch?: (block: Buffer) => void;
}

const blockBytes = 512;

/** An archive with its end. */
export function tarOf(entries: readonly MadeEntry[], end: Buffer = Buffer.alloc(2 * blockBytes)): Buffer {
  return Buffer.concat([...entries.map(entryBytes), end]);
}

/** An entry's extended header, header, data and padding. */
export function entryBytes(entry: MadeEntry): Buffer {
  const data = Buffer.from(entry.data ?? "");
  const pax = entry.pax === undefined ? Buffer.alloc(0) : paxBytes(entry.pax);
  return Buffer.concat([pax, headerBlock(entry, data.length), padded(data)]);
}

/** GNU's entry for a long name ("L") or link target ("K"). */
export function gnuLong(type: "L" | "K", text: string): Buffer {
  return entryBytes({ name: "././@LongLink", type, data: Buffer.from(`${text}\0`, "latin1"), form: "gnu" });
}

export function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((blockBytes - (data.length % blockBytes)) % blockBytes)]);
}

function paxBytes(records: readonly (readonly [string, string | Buffer])[]): Buffer {
  const data = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  return entryBytes({ name: "PaxHeaders.0/x", type: "x", data });
}

export function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([
    Buffer.from(` ${key}=`, "latin1"),
    Buffer.isBuffer(value) ? value : Buffer.from(value, "latin1"),
    Buffer.from("\n"),
  ]);
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

export function headerBlock(entry: MadeEntry, dataBytes: number): Buffer {
  const { form = "ustar" } = entry;
  const block = Buffer.alloc(blockBytes);
  block.write(entry.name, 0, 100, "latin1");
  putNumber(block, 100, 8, entry.mode ?? 0o644);
  putNumber(block, 108, 8, entry.uid ?? 0);
  putNumber(block, 116, 8, entry.gid ?? 0);
  putNumber(block, 124, 12, entry.size ?? dataBytes);
  putNumber(block, 136, 12, entry.mtime ?? 1_600_000_000);
  block.write(entry.type ?? "0", 156, "latin1");
  block.write(entry.link ?? "", 157, 100, "latin1");
  if (form !== "v7") {
    block.write(form === "gnu" ? "ustar  \0" : "ustar\u000000", 257, "latin1");
    putNumber(block, 329, 8, entry.major ?? 0);
    putNumber(block, 337, 8, entry.minor ?? 0);
    block.write(entry.prefix ?? "", 345, 155, "latin1");
  }
  entry.patch?.(block);
  return withSum(block);
}

export function withSum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** Octal where it fits, else base-256. */
export function putNumber(block: Buffer, at: number, width: number, value: number): void {
  if (value >= 0 && value < 8 ** (width - 1)) {
    block.write(value.toString(8).padStart(width - 1, "0"), at, "latin1");
    return;
  }
  let rest = BigInt.asUintN(width * 8, BigInt(value));
  for (let index = width - 1; index >= 0; index--) {
    block[at + index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[at] = (block[at] ?? 0) | 0x80;
}
