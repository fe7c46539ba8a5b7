/**
 * `npm run fuzz -- [--minutes N] [--seed S]`: has a router served hostile clients and packages, and some that behave.
 * Prints a line every few seconds and writes `.cache/fuzz/<seed>.json`. Exit code 1 when the router did what it must
 * not: ended, hung, leaked, answered on a wrong stream, or gave one caller's bytes to another.
 */
import { randomInt } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { FuzzRun, mayGrowBytes } from "../test/supervisor/router/harness/fuzz/fuzz-run.ts";
import { cacheFolder, projectFolder } from "./peers/folders.ts";

const usage = `usage: npm run fuzz -- [--minutes N] [--seed S]

  --minutes N  how long; default 1
  --seed S     where to begin, 0 to 4294967295; default: chance. Round n uses seed S + n.

examples:
  npm run fuzz -- --minutes 60
  npm run fuzz -- --seed 4711 --minutes 1    what a failure prints, to see it again`;

/** Of one round: what its seed means. */
const roundFrames = 20_000;
/** Rounds after which memory is compared. */
const warmRounds = 5;
const mib = 1024 * 1024;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? randomInt(2 ** 32) : Number(values.seed);
if (values.help === true) {
  console.log(usage);
  process.exit(0);
}
if (!(minutes > 0) || !Number.isSafeInteger(seed) || seed < 0 || seed >= 2 ** 32) {
  console.error(usage);
  process.exit(64);
}

const rounds: { seed: number; frames: number; connections: number; ms: number; anonymousBytes: number }[] = [];
const started = performance.now();
let failure: string | undefined;
{
  await using run = await FuzzRun.start();
  try {
    while (performance.now() - started < minutes * 60_000) await runRound(run);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
}
const report = {
  seed,
  minutes: (performance.now() - started) / 60_000,
  frames: total(({ frames }) => frames),
  connections: total(({ connections }) => connections),
  ...(failure === undefined ? {} : { failure }),
  rounds,
};
const folder = join(cacheFolder, "fuzz");
const file = join(folder, `${seed}.json`);
await mkdir(folder, { recursive: true });
await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
console.log(`${report.frames} frames on ${report.connections} connections; report in ${relative(projectFolder, file)}`);
if (failure !== undefined) console.error(`fuzz: ${failure}`);
process.exitCode = failure === undefined ? 0 : 1;

function total(of: (round: (typeof rounds)[number]) => number): number {
  return rounds.reduce((sum, round) => sum + of(round), 0);
}

async function runRound(run: FuzzRun): Promise<void> {
  const begun = performance.now();
  const roundSeed = (seed + rounds.length) % 2 ** 32;
  const { frames, sessions } = await run.round(roundSeed, roundFrames);
  const { anonymousBytes } = run;
  rounds.push({ seed: roundSeed, frames, connections: sessions, ms: performance.now() - begun, anonymousBytes });
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(
    `${seconds} s: round ${rounds.length}, seed ${roundSeed}, ${total((round) => round.frames)} frames, ` +
      `router ${(anonymousBytes / mib).toFixed(1)} MiB`,
  );
  const grown = anonymousBytes - (rounds[warmRounds - 1]?.anonymousBytes ?? anonymousBytes);
  if (grown > mayGrowBytes) {
    throw new Error(
      `the router grew by ${(grown / mib).toFixed(1)} MiB since round ${warmRounds}. ` +
        `Again: npm run fuzz -- --seed ${seed} --minutes ${Math.ceil(minutes)}`,
    );
  }
}
