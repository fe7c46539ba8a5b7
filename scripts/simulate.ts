/**
 * `npm run simulate`: control's supervision and the router's parking on a simulated machine, one run a seed; see `help`.
 * Writes `.cache/simulate/report.json`, and `.cache/simulate/seed-<n>.txt` for each seed that breaks a rule. Exit code 1
 * when one did.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { simulateSeed, usualSteps, type SeedResult } from "../test/simulation/simulate.ts";
import { cacheFolder } from "./peers/folders.ts";

const help = `usage: npm run simulate -- [--seeds N] [--seed S] [--steps M]

Runs the real supervision and the real router on a simulated clock, disk, processes and sockets. Each seed is one host
with random packages on which M random things go wrong; then everything must get well by itself.

  --seeds N   how many seeds, default 1000
  --seed S    the first one, default 1; without --seeds that one alone, and what happened is printed
  --steps M   things that go wrong in a seed, default ${usualSteps}

examples:
  npm run simulate -- --seeds 10000
  npm run simulate -- --seed 4711                  a failing seed again, exactly as it was
  npm run simulate -- --seeds 500 --seed 20000 --steps 200
`;
const progressEveryMs = 1000;
const folder = join(cacheFolder, "simulate");

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h" },
    seeds: { type: "string" },
    seed: { type: "string" },
    steps: { type: "string", default: String(usualSteps) },
  },
});
if (values.help === true) {
  console.log(help);
  process.exit(0);
}
const first = countOf("seed", values.seed ?? "1");
const count = countOf("seeds", values.seeds ?? (values.seed === undefined ? "1000" : "1"));
const steps = countOf("steps", values.steps);

await mkdir(folder, { recursive: true });
const startedMs = performance.now();
const failed: number[] = [];
const counts = new Map<string, number>();
let simulatedMs = 0;
let longestRecoveryMs = 0;
let toldMs = 0;
for (let seed = first; seed < first + count; seed++) {
  const result = await simulateSeed({ seed, steps });
  simulatedMs += result.simulatedMs;
  longestRecoveryMs = Math.max(longestRecoveryMs, result.recoveredMs ?? 0);
  for (const [what, times] of result.counts) counts.set(what, (counts.get(what) ?? 0) + times);
  if (values.seed !== undefined && count === 1) console.log(result.lastLines.join("\n"));
  if (result.failure !== undefined) await tellFailure(result);
  if (performance.now() - toldMs > progressEveryMs) tellProgress(seed - first + 1);
}
tellProgress(count);
process.stderr.write("\n");
const report = {
  seeds: count,
  first,
  steps,
  failed,
  simulatedHours: simulatedMs / 3_600_000,
  longestRecoveryMs,
  counts: Object.fromEntries([...counts].sort(([one], [other]) => one.localeCompare(other))),
};
await writeFile(join(folder, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
console.log(
  `${count} seeds, ${failed.length} failed; ${report.simulatedHours.toFixed(1)} simulated hours; ` +
    `all ready again after at most ${(longestRecoveryMs / 1000).toFixed(1)} s; see ${join(folder, "report.json")}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

async function tellFailure({ seed, failure = "", lastLines, hash }: SeedResult): Promise<void> {
  failed.push(seed);
  const file = join(folder, `seed-${seed}.txt`);
  await writeFile(file, `${lastLines.join("\n")}\n\n${failure}\n\ntrace ${hash}\n`);
  const text = failure.split("\n", 1)[0] ?? "";
  console.error(
    `\nseed ${seed}: ${text}\n  what came before: ${file}\n  again: npm run simulate -- --seed ${seed} --steps ${steps}`,
  );
}

function tellProgress(done: number): void {
  toldMs = performance.now();
  const seconds = (toldMs - startedMs) / 1000;
  process.stderr.write(
    `\r${done} of ${count} seeds, ${failed.length} failed, ${(done / seconds).toFixed(1)} a second `,
  );
}

function countOf(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  console.error(`simulate: --${name} wants a whole number from 1 on, not ${JSON.stringify(text)}; see --help`);
  process.exit(64);
}
