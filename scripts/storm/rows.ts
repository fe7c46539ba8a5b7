import { quantile } from "../../test/harness/storms/package-storm.ts";
import type { Row } from "../bench/report.ts";

/** A row of a storm's table; with a bound it fails the storm when it is above it. */
export function row(what: string, unit: string, ours: number, bound?: number): Row {
  return {
    what,
    unit,
    stock: undefined,
    ours,
    ...(bound === undefined ? {} : { bound: { ours: bound } }),
    lessIsBetter: true,
  };
}

/** Rows of times in milliseconds: the middle one and the one that 99 of 100 stay below. */
export function timeRows(
  what: string,
  times: readonly number[],
  bounds: { readonly p50?: number; readonly p99?: number },
): Row[] {
  return [
    row(`${what}, p50`, "ms", quantile(times, 0.5), bounds.p50),
    row(`${what}, p99`, "ms", quantile(times, 0.99), bounds.p99),
  ];
}
