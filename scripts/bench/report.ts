import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { cacheFolder } from "../peers/folders.ts";

/** One line of a benchmark's table. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  /** What it is compared with: the stock daemon, or HAProxy. Undefined: that has nothing like it. */
  readonly stock: number | undefined;
  readonly ours: number;
  /** Median of the ratios of each round, where rounds were paired; else that of the two figures counts. */
  readonly paired?: number;
  /** The bound the project sets itself; `ratio` is ours over stock, or stock over ours where less is better. */
  readonly bound?: { readonly ours?: number; readonly ratio?: number };
  readonly lessIsBetter: boolean;
}

/** Better than 1 is better than stock, whatever the unit. */
export function ratioOf(row: Row): number | undefined {
  if (row.paired !== undefined) return row.paired;
  if (row.stock === undefined || row.stock === 0 || row.ours === 0) return undefined;
  return row.lessIsBetter ? row.stock / row.ours : row.ours / row.stock;
}

/** Whether a row keeps its bound; undefined: it has none. */
export function keepsBound(row: Row): boolean | undefined {
  if (row.bound === undefined) return undefined;
  const { ours, ratio } = row.bound;
  const kept = ours === undefined || (row.lessIsBetter ? row.ours <= ours : row.ours >= ours);
  return kept && (ratio === undefined || (ratioOf(row) ?? 0) >= ratio);
}

/** What a benchmark found; `notes` are lines before the table of bounds, `details` goes into the JSON as it is. */
export interface Report {
  readonly rows: readonly Row[];
  readonly notes?: readonly string[];
  /** Whom ours is compared with; left out: the stock daemon. */
  readonly other?: string;
  readonly details?: unknown;
}

/** Prints the tables, or the JSON if `asJson`, and writes the JSON beside it. */
export async function publish(name: string, report: Report, asJson: boolean): Promise<void> {
  const folder = join(cacheFolder, "bench");
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${name}.json`);
  const facts = {
    name,
    at: new Date().toISOString(),
    node: process.version,
    cpus: availableParallelism(),
    cpu: cpus()[0]?.model,
  };
  const rows = report.rows.map((row) => ({ ...row, ratio: ratioOf(row), kept: keepsBound(row) }));
  const text = JSON.stringify({ ...facts, rows, details: report.details }, null, 2);
  await writeFile(file, `${text}\n`);
  if (asJson) return console.log(text);
  console.log([...(report.notes ?? []), ...tableOf(report.rows, report.other)].join("\n"));
  console.log(`\nwritten to ${file}`);
}

export function tableOf(rows: readonly Row[], other = "stock"): string[] {
  const cells = [
    ["", "unit", other, "bulkhead", "better by", "bound", ""],
    ...rows.map((row) => [
      row.what,
      row.unit,
      row.stock === undefined ? "-" : round(row.stock),
      round(row.ours),
      ratioOf(row)?.toFixed(2) ?? "-",
      boundText(row),
      verdict(keepsBound(row)),
    ]),
  ];
  return alignColumns(cells, new Set([2, 3, 4]));
}

/** Lines of a table; `rightAligned` are the columns of figures. */
export function alignColumns(cells: readonly (readonly string[])[], rightAligned: ReadonlySet<number>): string[] {
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  return cells.map((line) =>
    line
      .map((cell, column) =>
        rightAligned.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}

function boundText({ bound, lessIsBetter }: Row): string {
  if (bound === undefined) return "";
  const parts = [];
  if (bound.ours !== undefined) parts.push(`${lessIsBetter ? "<=" : ">="} ${bound.ours}`);
  if (bound.ratio !== undefined) parts.push(`>= ${Number(bound.ratio.toFixed(2))} x`);
  return parts.join(", ");
}

function verdict(kept: boolean | undefined): string {
  return kept === undefined ? "" : kept ? "kept" : "MISSED";
}

/** A figure with as many digits as it deserves. */
export function round(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}

/** The upper of two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
