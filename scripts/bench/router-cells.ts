import type { HopLoad } from "./hop-load.ts";

/** One kind of load in one shape, and what the router must reach against HAProxy. */
export interface Cell {
  readonly name: string;
  readonly load: HopLoad;
  /** Least rate as a part of HAProxy's. */
  readonly leastRate?: number;
  /** Highest p50 as a multiple of HAProxy's. */
  readonly highestP50?: number;
}

const largeBytes = 64 * 1024;
/** Most anonymous memory of the router under any load, MiB. */
export const memoryBoundMiB = 30;

/** Connections by calls at once on each. */
const shapes = [
  [1, 1],
  [1, 64],
  [4, 16],
  [64, 1],
] as const;

const kinds = [
  { what: "32 B unary", kind: "unary", messageBytes: 32 },
  { what: "64 KiB unary", kind: "unary", messageBytes: largeBytes },
  { what: "server stream of 64 KiB", kind: "pour", messageBytes: largeBytes },
  { what: "client stream of 64 KiB", kind: "fill", messageBytes: largeBytes },
] as const;

/** Everything that is measured, in order. */
export const cells: readonly Cell[] = [
  ...kinds.flatMap(({ what, kind, messageBytes }) =>
    shapes.map(
      ([connections, streams]): Cell => ({
        name: `${what}, ${connections} x ${streams}`,
        load: { kind, connections, streams, messageBytes, held: 0 },
        ...(kind === "unary" ? unaryBounds(connections, streams) : { leastRate: 0.9 }),
      }),
    ),
  ),
  {
    name: "32 B unary, 1 x 64, 1,000 idle streams held",
    load: { kind: "unary", connections: 1, streams: 64, messageBytes: 32, held: 1000 },
  },
];

function unaryBounds(connections: number, streams: number): Pick<Cell, "leastRate" | "highestP50"> {
  if (connections === 1 && streams === 1) return { highestP50: 1.15 };
  return { leastRate: connections === 64 ? 0.8 : 1 };
}
