import type { ChaosReport } from "./chaos.ts";
import { faults } from "./faults.ts";

/** A failed call belongs to a fault that was done at most so long before it, milliseconds. */
const faultReachMs = 5000;
/** Memory that a part may gain in an hour. */
const slopeMiBPerHour = 1;
/** Shorter lives say nothing of an hour. */
const leastTrendMinutes = 10;

/** What must not be, in words; empty: all is well. */
export function failuresOf(report: ChaosReport): string[] {
  const strays = report.echoFailures.filter(
    ({ atMs }) => !report.faults.some((fault) => fault.atMs <= atMs && atMs - fault.doneMs < faultReachMs),
  );
  const growing = report.trends.filter(
    ({ minutes, MiBPerHour }) => minutes >= leastTrendMinutes && MiBPerHour > slopeMiBPerHour,
  );
  return [
    ...strays.map(({ failure }) => `a call failed though nothing had happened: ${failure}`),
    ...report.brokenAfter.map((each) => `still broken after all was ready again: ${each}`),
    ...report.wrongImages.map((each) => `images: ${each}`),
    ...report.wrongExits.map((each) => `containers: ${each}`),
    ...report.leaks.map((each) => `leak of ${each}`),
    ...growing.map(({ part, MiBPerHour }) => `${part} grows by ${MiBPerHour.toFixed(1)} MiB an hour`),
  ];
}

/** The report for people. */
export function reportLines(report: ChaosReport): string[] {
  return [
    "",
    `${report.faults.length} faults in ${report.minutes} min, seed ${report.seed}`,
    "",
    ...table([["fault", "times", "longest gap without an answer, ms"], ...faultRows(report)], [1, 2]),
    "",
    ...table([["client", "calls", "outcome"], ...outcomeRows(report)], [1]),
    "",
    `${report.exits} exits of containers and execs accounted for`,
    `every package ready again ${report.recoveryMs.toFixed(0)} ms after the last fault`,
    "",
    ...table([["part", "minutes", "from MiB", "to MiB", "MiB an hour"], ...trendRows(report)], [1, 2, 3, 4]),
    "",
    ...(failuresOf(report).length === 0 ? ["nothing broke, nothing leaked"] : failuresOf(report)),
  ];
}

/** A gap belongs to the last fault before its end. */
function faultRows({ faults: struck, gaps }: ChaosReport): string[][] {
  return faults.map(({ kind }) => {
    const times = struck.filter((fault) => fault.kind === kind).length;
    const longest = Math.max(
      0,
      ...gaps
        .filter(({ toMs }) => struck.findLast(({ atMs }) => atMs <= toMs)?.kind === kind)
        .map(({ fromMs, toMs }) => toMs - fromMs),
    );
    return [kind, String(times), longest === 0 ? "-" : longest.toFixed(0)];
  });
}

function outcomeRows({ outcomes }: ChaosReport): string[][] {
  return [...outcomes].flatMap(([client, counts]) =>
    [...counts]
      .toSorted(([, one], [, other]) => other - one)
      .map(([outcome, count]) => [client, String(count), outcome]),
  );
}

function trendRows({ trends }: ChaosReport): string[][] {
  return trends.map(({ part, minutes, fromMiB, toMiB, MiBPerHour }) => [
    part,
    minutes.toFixed(1),
    fromMiB.toFixed(1),
    toMiB.toFixed(1),
    MiBPerHour.toFixed(1),
  ]);
}

function table(lines: readonly (readonly string[])[], right: readonly number[]): string[] {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) =>
    line
      .map((cell, column) =>
        right.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}
