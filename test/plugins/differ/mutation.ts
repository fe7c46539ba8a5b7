import { withSum } from "./tar-builder.ts";

const blockBytes = 512;
/** Fields of a header that mean something, by offset and width. */
const fields = [
  [0, 100],
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [156, 1],
  [157, 100],
  [257, 8],
  [329, 16],
  [345, 155],
  [386, 126],
] as const;

/** A copy with a few wrong bytes, its headers' sums put right for the most part, perhaps cut short. */
export function mutated(archive: Buffer, next: (below: number) => number): Buffer {
  let copy = Buffer.from(archive);
  for (let count = 1 + next(4); count > 0; count--) {
    const block = next(Math.ceil(copy.length / blockBytes)) * blockBytes;
    const [start, width] = fields[next(fields.length)] ?? [0, 1];
    const at = Math.min(copy.length - 1, block + start + next(width));
    copy[at] = next(4) === 0 ? (copy[at] ?? 0) ^ (1 << next(8)) : next(256);
    const header = copy.subarray(block, block + blockBytes);
    if (header.length === blockBytes && next(8) > 0) withSum(header);
  }
  if (next(5) === 0) copy = copy.subarray(0, 1 + next(copy.length));
  return copy;
}
