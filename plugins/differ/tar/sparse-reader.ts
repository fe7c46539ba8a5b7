import { HostError } from "#proto/wire/errors.ts";
import { blockBytes, typeFlags, type TarHeader } from "./header.ts";
import {
  addGnuSpans,
  applyPaxSparse,
  checkSpans,
  gnuSparseSize,
  paxSparseForm,
  SparseLines,
  spansOfRecords,
  type Span,
} from "./sparse-map.ts";
import { invalidHeader, tarError } from "./tar-error.ts";
import type { EntrySink } from "./tar-reader.ts";

/** Puts the data of one sparse file where it belongs. */
export class SparseReader {
  readonly #header: TarHeader;
  readonly #limitBytes: number;
  /** Where the rest of the map stands: in blocks before the data, at the start of the data, or nowhere. */
  #wants: "blocks" | "data" | "nothing";
  #spans: Span[];
  #mapBytes = 0;
  readonly #lines = new SparseLines();
  #span = 0;
  #inSpan = 0;

  private constructor(header: TarHeader, limitBytes: number, wants: "blocks" | "data" | "nothing", spans: Span[]) {
    this.#header = header;
    this.#limitBytes = limitBytes;
    this.#wants = wants;
    this.#spans = spans;
  }

  /** For a sparse entry, whose header gets its name and whole size; undefined: it is none. */
  static of(header: TarHeader, block: Buffer, limitBytes: number): SparseReader | undefined {
    if (header.type === typeFlags.gnuSparse) {
      const spans: Span[] = [];
      const { goesOn } = addGnuSpans(spans, block, "header");
      header.size = gnuSparseSize(block);
      header.type = typeFlags.regular;
      return new SparseReader(header, limitBytes, goesOn ? "blocks" : "nothing", spans);
    }
    const form = paxSparseForm(header);
    if (form === undefined) return undefined;
    if (header.type !== typeFlags.regular) throw tarError(invalidHeader);
    applyPaxSparse(header);
    return form === "in data"
      ? new SparseReader(header, limitBytes, "data", [])
      : new SparseReader(header, limitBytes, "nothing", spansOfRecords(header));
  }

  get wants(): "blocks" | "data" | "nothing" {
    return this.#wants;
  }

  /** Takes a block of the map; gives its bytes. */
  takeMap(block: Buffer): number {
    this.#mapBytes += blockBytes;
    if (this.#mapBytes > this.#limitBytes) {
      throw new HostError(
        "invalid-argument",
        `archive/tar: the sparse map of a file is over the limit of ${this.#limitBytes} bytes; ` +
          "raise max_header_bytes of the walking differ if the layer is to be trusted",
      );
    }
    if (this.#wants === "blocks") {
      if (!addGnuSpans(this.#spans, block, "extension").goesOn) this.#wants = "nothing";
      return blockBytes;
    }
    if (this.#lines.add(block)) {
      this.#spans = this.#lines.spans();
      this.#wants = "nothing";
    }
    return blockBytes;
  }

  /** Throws unless the map fits the file and the bytes of data that follow. */
  check(dataBytes: number): void {
    checkSpans(this.#spans, this.#header.size, dataBytes);
  }

  data(sink: EntrySink, chunk: Buffer, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const span = this.#spans[this.#span];
      if (span === undefined) throw tarError(invalidHeader);
      const piece = Math.min(end - at, span.bytes - this.#inSpan);
      if (piece > 0) sink.data(chunk, at, at + piece, span.offset + this.#inSpan);
      at += piece;
      this.#inSpan += piece;
      if (this.#inSpan < span.bytes) continue;
      this.#span++;
      this.#inSpan = 0;
    }
  }
}
