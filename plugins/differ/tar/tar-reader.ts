import { HostError } from "#proto/wire/errors.ts";
import { isLinkOrName, longTextOf, type LongTexts } from "./long-texts.ts";
import { applyPax, blockBytes, parseHeader, settleType, typeFlags, type TarHeader } from "./header.ts";
import { parsePaxRecords, type PaxRecords } from "./pax-records.ts";
import { SparseReader } from "./sparse-reader.ts";
import { invalidHeader, tarError, unexpectedEnd } from "./tar-error.ts";

/** Who takes the entries of an archive, each call at once and in order. */
export interface EntrySink {
  /** An entry begins. What it gives for another than a plain file is without meaning. */
  begin(header: TarHeader): void;
  /** Bytes `start` to `end` of `chunk` belong at `position` of the entry's file; not to be kept. */
  data(chunk: Buffer, start: number, end: number, position: number): void;
  /** All of the entry has come. */
  finish(): void;
}

/** What the next bytes are. */
type State = "header" | "text" | "sparse" | "data" | "padding" | "end";

export interface TarLimits {
  /** Bytes of one extended header, long name or sparse map. */
  readonly headerBytes: number;
}

/**
 * Reads an archive (v7, ustar, star, GNU, PAX) out of chunks of any size, as they come: nothing of an entry's data is
 * kept or copied. Throws unknown for a damaged archive, invalid-argument over a limit.
 */
export class TarReader {
  readonly #sink: EntrySink;
  readonly #limits: TarLimits;
  readonly #block = Buffer.alloc(blockBytes);
  #blockUsed = 0;
  #state: State = "header";
  /** Bytes of the state that are still to come. */
  #left = 0;
  /** Position in the entry's data. */
  #position = 0;
  #padding = 0;
  #zeroBlocks = 0;
  #header: TarHeader | undefined;
  #texts: LongTexts = {};
  /** An extended header as it is gathered. */
  #text = Buffer.alloc(0);
  #textUsed = 0;
  #sparse: SparseReader | undefined;

  constructor(sink: EntrySink, limits: TarLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** Takes the next bytes; those behind the archive's end are passed over. */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && this.#state !== "end"; ) {
      if (this.#state === "header" || this.#state === "sparse") at = this.#takeBlock(chunk, at);
      else at = this.#takeRun(chunk, at);
    }
  }

  /** The bytes have ended: throws when the archive had not. */
  finish(): void {
    // As Go does it: the end may lack its blocks of zeros, and the last entry its padding.
    const isBetweenEntries = this.#state === "padding" || (this.#state === "header" && this.#blockUsed === 0);
    if (this.#state === "end" || isBetweenEntries) return;
    throw tarError(unexpectedEnd);
  }

  #takeBlock(chunk: Buffer, at: number): number {
    if (this.#blockUsed === 0 && chunk.length - at >= blockBytes) {
      this.#gotBlock(chunk.subarray(at, at + blockBytes));
      return at + blockBytes;
    }
    const end = Math.min(chunk.length, at + blockBytes - this.#blockUsed);
    chunk.copy(this.#block, this.#blockUsed, at, end);
    this.#blockUsed += end - at;
    if (this.#blockUsed === blockBytes) {
      this.#blockUsed = 0;
      this.#gotBlock(this.#block);
    }
    return end;
  }

  #takeRun(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    if (this.#state === "data") {
      if (this.#sparse === undefined) this.#sink.data(chunk, at, end, this.#position);
      else this.#sparse.data(this.#sink, chunk, at, end);
    } else if (this.#state === "text") {
      this.#textUsed += chunk.copy(this.#text, this.#textUsed, at, end);
    }
    this.#position += end - at;
    this.#left -= end - at;
    if (this.#left === 0) this.#endRun();
    return end;
  }

  #endRun(): void {
    if (this.#state === "text") this.#endText();
    else if (this.#state === "data") this.#endData();
    else this.#toHeader();
  }

  #gotBlock(block: Buffer): void {
    if (this.#state === "sparse") return this.#gotSparseBlock(block);
    if (block[0] === 0 && isZero(block)) {
      this.#zeroBlocks++;
      if (this.#zeroBlocks === 2) this.#state = "end";
      return;
    }
    if (this.#zeroBlocks > 0) throw tarError(invalidHeader);
    const header = parseHeader(block);
    if (header.type === typeFlags.pax || header.type === typeFlags.paxGlobal || isLinkOrName(header.type)) {
      return this.#beginText(header);
    }
    this.#beginEntry(header, block);
  }

  #beginText(header: TarHeader): void {
    if (header.size > this.#limits.headerBytes) {
      throw new HostError(
        "invalid-argument",
        `archive/tar: an extended header of ${header.size} bytes is over the limit of ${this.#limits.headerBytes}; ` +
          "raise max_header_bytes of the walking differ if the layer is to be trusted",
      );
    }
    this.#header = header;
    this.#text = Buffer.allocUnsafe(header.size);
    this.#textUsed = 0;
    this.#begin("text", header.size);
  }

  #endText(): void {
    const { type = "" } = this.#header ?? {};
    if (type === typeFlags.pax) this.#texts.pax = parsePaxRecords(this.#text);
    else if (type === typeFlags.gnuLongName) this.#texts.name = longTextOf(this.#text);
    else if (type === typeFlags.gnuLongLink) this.#texts.link = longTextOf(this.#text);
    else this.#globalEntry(parsePaxRecords(this.#text));
    this.#text = Buffer.alloc(0);
    this.#toPadding();
  }

  /** As Go has it: what global records say is ignored, but they are an entry, and headers for the next end there. */
  #globalEntry(records: PaxRecords): void {
    this.#texts = {};
    if (this.#header === undefined) return;
    applyPax(this.#header, records);
    this.#sink.begin(this.#header);
    this.#sink.finish();
  }

  #beginEntry(header: TarHeader, block: Buffer): void {
    if (this.#texts.pax !== undefined) applyPax(header, this.#texts.pax);
    if (this.#texts.name !== undefined) header.name = this.#texts.name;
    if (this.#texts.link !== undefined) header.linkName = this.#texts.link;
    this.#texts = {};
    settleType(header);
    this.#header = header;
    this.#sparse = SparseReader.of(header, block, this.#limits.headerBytes);
    this.#padding = paddingOf(header.dataBytes);
    if (this.#sparse !== undefined && this.#sparse.wants !== "nothing") this.#begin("sparse", 0);
    else this.#beginData(header.dataBytes);
  }

  #gotSparseBlock(block: Buffer): void {
    const { dataBytes } = this.#header ?? { dataBytes: 0 };
    const wants = this.#sparse?.wants;
    const used = this.#sparse?.takeMap(block) ?? 0;
    if (wants === "data") this.#left += used; // bytes of the map that were counted as data
    if (this.#left > dataBytes) throw tarError(invalidHeader);
    if (this.#sparse?.wants === "nothing") this.#beginData(dataBytes - this.#left);
  }

  #beginData(bytes: number): void {
    if (this.#header === undefined) return;
    this.#sparse?.check(bytes);
    this.#sink.begin(this.#header);
    this.#begin("data", bytes);
  }

  #endData(): void {
    this.#sink.finish();
    this.#sparse = undefined;
    if (this.#padding > 0) this.#begin("padding", this.#padding, 0);
    else this.#toHeader();
  }

  #toPadding(): void {
    if (this.#padding > 0) this.#begin("padding", this.#padding, 0);
    else this.#toHeader();
  }

  #toHeader(): void {
    this.#state = "header";
    this.#left = 0;
  }

  /** A run of no bytes is over at once. */
  #begin(state: State, bytes: number, padding = this.#padding): void {
    this.#state = state;
    this.#left = bytes;
    this.#position = 0;
    this.#padding = state === "text" ? paddingOf(bytes) : padding;
    if (bytes === 0 && state !== "sparse") this.#endRun();
  }
}

function paddingOf(bytes: number): number {
  return (blockBytes - (bytes % blockBytes)) % blockBytes;
}

function isZero(block: Buffer): boolean {
  for (let index = 0; index < blockBytes; index++) if (block[index] !== 0) return false;
  return true;
}
