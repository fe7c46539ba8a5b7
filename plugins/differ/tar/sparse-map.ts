import { decimal, numberField } from "./fields.ts";
import type { TarHeader } from "./header.ts";
import { sparseMapKey } from "./pax-records.ts";
import { invalidHeader, tarError } from "./tar-error.ts";

/** A run of data in a sparse file; what lies between is zeros. */
export interface Span {
  readonly offset: number;
  readonly bytes: number;
}

/** Which sparse format of PAX a header is of: its map in the records, or at the start of its data; undefined: none. */
export function paxSparseForm({ pax }: TarHeader): "in records" | "in data" | undefined {
  const major = pax?.get("GNU.sparse.major") ?? "";
  const minor = pax?.get("GNU.sparse.minor") ?? "";
  if (major === "0" && (minor === "0" || minor === "1")) return "in records";
  if (major === "1" && minor === "0") return "in data";
  if (major !== "" || minor !== "") return undefined;
  return (pax?.get(sparseMapKey) ?? "") === "" ? undefined : "in records";
}

/** Name and whole size of a sparse file of PAX, which its plain fields do not tell. */
export function applyPaxSparse(header: TarHeader): void {
  header.name = header.pax?.get("GNU.sparse.name") || header.name;
  const size = header.pax?.get("GNU.sparse.size") || header.pax?.get("GNU.sparse.realsize");
  if (size !== undefined && size !== "") header.size = decimal(size);
}

/** The map of formats 0.0 and 0.1. */
export function spansOfRecords({ pax }: TarHeader): Span[] {
  const numbers = (pax?.get(sparseMapKey) ?? "").split(",").filter((text) => text !== "");
  const count = pax?.get("GNU.sparse.numblocks");
  if (numbers.length % 2 !== 0 || (count !== undefined && decimal(count) !== numbers.length / 2)) {
    throw tarError(invalidHeader);
  }
  return spansOf(numbers.map(decimal));
}

/** The map of format 1.0: decimal lines, the first of them the count of pairs, in blocks at the start of the data. */
export class SparseLines {
  readonly #blocks: string[] = [];
  #lines = 0;
  /** Lines of the whole map; undefined: its first line is not whole yet. */
  #wanted: number | undefined;

  /** Takes the next block; whether the map is whole with it. */
  add(block: Buffer): boolean {
    this.#blocks.push(block.toString("latin1"));
    for (let at = block.indexOf(0x0a); at >= 0; at = block.indexOf(0x0a, at + 1)) this.#lines++;
    if (this.#wanted === undefined && this.#lines > 0) {
      const count = decimal(this.#blocks.join("").split("\n", 1)[0] ?? "");
      if (count < 0) throw tarError(invalidHeader);
      this.#wanted = 1 + 2 * count;
    }
    return this.#wanted !== undefined && this.#lines >= this.#wanted;
  }

  spans(): Span[] {
    const lines = this.#blocks.join("").split("\n");
    return spansOf(lines.slice(1, this.#wanted).map(decimal));
  }
}

function spansOf(numbers: readonly number[]): Span[] {
  const spans: Span[] = [];
  for (let index = 0; index + 1 < numbers.length; index += 2) {
    spans.push({ offset: numbers[index] ?? 0, bytes: numbers[index + 1] ?? 0 });
  }
  return spans;
}

/** Spans in a block of the old GNU format: in the header four from byte 386, in a block that goes on 21 from 0. */
export function addGnuSpans(spans: Span[], block: Buffer, where: "header" | "extension"): { goesOn: boolean } {
  const [start, count] = where === "header" ? [386, 4] : [0, 21];
  for (let index = 0; index < count; index++) {
    const at = start + index * 24;
    if (block[at] === 0) break;
    spans.push({ offset: numberField(block, at, 12), bytes: numberField(block, at + 12, 12) });
  }
  return { goesOn: block[start + count * 24] !== 0 };
}

/** The whole size in a header of the old GNU format. */
export function gnuSparseSize(block: Buffer): number {
  return numberField(block, 483, 12);
}

/** Spans in order, within the file, and as much data as the archive holds; throws otherwise. */
export function checkSpans(spans: readonly Span[], size: number, dataBytes: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, bytes } of spans) {
    if (offset < end || bytes < 0 || offset + bytes > size) throw tarError(invalidHeader);
    end = offset + bytes;
    sum += bytes;
  }
  if (sum !== dataBytes) throw tarError("sparse file has other data than its map says");
}
