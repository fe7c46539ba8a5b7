/** `npm run chaos`: chance strikes a real daemon under load from real clients; says what they saw and what was left. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { runChaos, type ChaosReport } from "../test/harness/chaos/chaos.ts";
import { failuresOf, reportLines } from "../test/harness/chaos/report.ts";
import { preparePeers } from "./peers.ts";
import { cacheFolder } from "./peers/folders.ts";

await new Command("npm run chaos --")
  .description(
    "Kills and stops packages, shims, control, router and holder, fills the disk and takes memory at random moments, while\n" +
      "callers and the stock ctr work and images and containers come and go. Needs root.",
  )
  .option("--minutes <m>", "how long", positive, 1)
  .option("--seed <n>", "strikes in the order of an earlier run", positive, Math.floor(Math.random() * 2 ** 31))
  .addHelpText(
    "after",
    "\nExit code 1: something broke or leaked. The report is also written to .cache/chaos/<seed>.json.\n",
  )
  .addHelpText("after", "Examples:\n  npm run chaos\n  npm run chaos -- --minutes 30 --seed 7")
  .action(run)
  .parseAsync();

async function run(options: { readonly minutes: number; readonly seed: number }): Promise<void> {
  const peers = await preparePeers((text) => console.error(text));
  for (const needed of ["containerd", "runc", "busybox", "go-echo", "go-greeter", "python-sums"]) {
    if (peers[needed] === null) continue;
    console.error(`chaos: ${needed} is absent: ${peers[needed]}`);
    process.exitCode = 1;
    return;
  }
  if (process.getuid?.() !== 0) {
    console.error("chaos: a disk of its own can only be mounted by root; run it with sudo");
    process.exitCode = 77;
    return;
  }
  console.error(`chaos: seed ${options.seed}, ${options.minutes} min`);
  const onFault = (kind: string, elapsedMs: number) =>
    console.error(`${(elapsedMs / 1000).toFixed(1).padStart(7)} s  ${kind}`);
  const report = await runChaos({ ...options, onFault });
  console.log(reportLines(report).join("\n"));
  await keep(report);
  if (failuresOf(report).length > 0) process.exitCode = 1;
}

async function keep(report: ChaosReport): Promise<void> {
  const folder = join(cacheFolder, "chaos");
  await mkdir(folder, { recursive: true });
  const outcomes = Object.fromEntries([...report.outcomes].map(([kind, counts]) => [kind, Object.fromEntries(counts)]));
  await writeFile(join(folder, `${report.seed}.json`), `${JSON.stringify({ ...report, outcomes }, null, 2)}\n`);
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("a number above 0");
  return value;
}
