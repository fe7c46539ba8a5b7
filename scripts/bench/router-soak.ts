import { type HopResult, runHop } from "./hop-load.ts";
import { median, type Report } from "./report.ts";
import { cells, memoryBoundMiB } from "./router-cells.ts";
import { startSubjects } from "./router-subjects.ts";

const sliceSeconds = 4;
/** What one quarter of the time may hold more than an earlier one and still count as flat: noise of the collector. */
const flatRatio = 1.1;

/** The router alone under one load after the other for `minutes`, and what its memory does meanwhile. */
export async function soakRouter(minutes: number): Promise<Report> {
  await using subjects = await startSubjects();
  const router = subjects.all.find(({ name }) => name === "router");
  if (router === undefined) throw new Error("no router among what is measured");
  const passes: HopResult[][] = [];
  const until = performance.now() + minutes * 60_000;
  while (performance.now() < until || passes.length < 4) {
    const pass: HopResult[] = [];
    for (const { load } of cells) pass.push(await runHop(router.socket, router.pid, load, sliceSeconds));
    passes.push(pass);
  }
  const peaks = passes.map((pass) => Math.max(...pass.map((result) => result.anonymousKiB)) / 1024);
  const quarter = Math.floor(peaks.length / 4);
  const early = median(peaks.slice(quarter, 2 * quarter));
  const late = median(peaks.slice(-quarter));
  const row = (what: string, ours: number, bound: number) =>
    ({ what, unit: "MiB", stock: undefined, ours, bound: { ours: bound }, lessIsBetter: true }) as const;
  return {
    rows: [
      row(`anonymous memory at most in ${minutes} minutes`, Math.max(...peaks), memoryBoundMiB),
      row("anonymous memory, last quarter against second", late, early * flatRatio),
    ],
    notes: [`calls: ${passes.flat().reduce((sum, result) => sum + result.calls, 0)}`, ""],
    details: { peaks },
  };
}
