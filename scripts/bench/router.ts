import type { HopResult } from "./hop-load.ts";
import { runHop } from "./hop-load.ts";
import { alignColumns, median, round, type Report, type Row } from "./report.ts";
import { type Cell, cells, memoryBoundMiB } from "./router-cells.ts";
import { type Subject, type SubjectName, startSubjects } from "./router-subjects.ts";

const warmSeconds = 2;

/** How long and what is measured. */
export interface RouterBenchOptions {
  readonly rounds: number;
  /** Of one load on one subject in one round. */
  readonly seconds: number;
  /** Only cells whose name contains it. */
  readonly only: string;
}

type Samples = ReadonlyMap<SubjectName, HopResult[]>;

/** The router, HAProxy and nginx in front of the same server, and nothing, in alternation. */
export async function measureRouter(options: RouterBenchOptions): Promise<Report> {
  await using subjects = await startSubjects();
  await warm(subjects.all);
  const notes = [headings];
  const rows: Row[] = [];
  const details: Record<string, unknown> = {};
  for (const cell of cells.filter(({ name }) => name.includes(options.only))) {
    const samples = await measureCell(cell, subjects.all, options);
    notes.push(...linesOf(cell, samples));
    rows.push(...boundsOf(cell, samples));
    details[cell.name] = Object.fromEntries(samples);
  }
  const aligned = alignColumns(notes, new Set([2, 3, 4, 5, 6, 7]));
  return { rows, details, notes: [...aligned, ""], other: "haproxy" };
}

/** A daemon's router has been up for long, and what it does has been compiled. */
async function warm(subjects: readonly Subject[]): Promise<void> {
  const load = { kind: "unary", connections: 4, streams: 16, messageBytes: 32, held: 0 } as const;
  for (const subject of subjects) await runHop(subject.socket, subject.pid, load, warmSeconds);
}

async function measureCell(cell: Cell, subjects: readonly Subject[], options: RouterBenchOptions): Promise<Samples> {
  const samples = new Map(subjects.map(({ name }): [SubjectName, HopResult[]] => [name, []]));
  for (let turn = 0; turn < options.rounds; turn++) {
    // Each goes first once, so that none always follows the same one.
    const first = turn % subjects.length;
    for (const subject of [...subjects.slice(first), ...subjects.slice(0, first)]) {
      const result = await runHop(subject.socket, subject.pid, cell.load, options.seconds);
      samples.get(subject.name)?.push(result);
    }
  }
  return samples;
}

const headings = ["", "", "calls/s", "MB/s", "p50 µs", "p99 µs", "CPU s/100k", "anon MiB", "x HAProxy"];

function linesOf(cell: Cell, samples: Samples): string[][] {
  return [...samples].map(([name, results], at) => {
    const of = (pick: (result: HopResult) => number) => round(median(results.map(pick)));
    const inBetween = name !== "direct";
    return [
      at === 0 ? cell.name : "",
      name,
      of(rateOf),
      of((result) => (rateOf(result) * cell.load.messageBytes) / 1e6),
      of((result) => result.p50us),
      of((result) => result.p99us),
      inBetween ? of((result) => (result.cpuSeconds / result.calls) * 100_000) : "-",
      inBetween ? of((result) => result.anonymousKiB / 1024) : "-",
      paired(samples, name, "haproxy", rateOf).toFixed(2),
    ];
  });
}

function boundsOf(cell: Cell, samples: Samples): Row[] {
  const rows: Row[] = [];
  const ours = samples.get("router") ?? [];
  const theirs = samples.get("haproxy") ?? [];
  const compare = (what: string, unit: string, pick: (result: HopResult) => number, least: number, less: boolean) =>
    rows.push({
      what: `${cell.name}: ${what}`,
      unit,
      stock: median(theirs.map(pick)),
      ours: median(ours.map(pick)),
      paired: less ? paired(samples, "haproxy", "router", pick) : paired(samples, "router", "haproxy", pick),
      bound: { ratio: least },
      lessIsBetter: less,
    });
  if (cell.leastRate !== undefined) {
    const megabytes = (result: HopResult) => (rateOf(result) * cell.load.messageBytes) / 1e6;
    if (cell.load.kind === "unary") compare("calls", "1/s", rateOf, cell.leastRate, false);
    else compare("bytes", "MB/s", megabytes, cell.leastRate, false);
  }
  if (cell.highestP50 !== undefined) {
    compare("p50", "µs", (result) => result.p50us, Math.floor(100 / cell.highestP50) / 100, true);
  }
  rows.push({
    what: `${cell.name}: anonymous memory`,
    unit: "MiB",
    stock: median(theirs.map((result) => result.anonymousKiB / 1024)),
    ours: Math.max(...ours.map((result) => result.anonymousKiB / 1024)),
    bound: { ours: memoryBoundMiB },
    lessIsBetter: true,
  });
  return rows;
}

function rateOf(result: HopResult): number {
  return result.calls / result.seconds;
}

/** Median of one's figure over the other's in the same round. */
function paired(samples: Samples, one: SubjectName, other: SubjectName, pick: (result: HopResult) => number): number {
  const others = samples.get(other) ?? [];
  return median((samples.get(one) ?? []).map((result, round) => pick(result) / pick(others[round] ?? result)));
}
