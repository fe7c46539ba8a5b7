import { setTimeout as pause } from "node:timers/promises";
import { ctr } from "../../test/harness/ctr.ts";
import type { Daemon } from "../../test/harness/stock-daemon.ts";
import { cpuSecondsBelow } from "./cpu.ts";
import { memoryBelow } from "./memory.ts";
import { median, type Row } from "./report.ts";
import type { Side } from "./sides.ts";

const commandMs = 600_000;
/** Between two looks at the memory. */
const sampleMs = 100;

/** What a command took. */
interface Sample {
  /** Seconds. */
  readonly wall: number;
  readonly cpu: number;
  /** MiB: the highest sum of anonymous memory of the daemon's processes that was seen. */
  readonly peak: number;
}

/**
 * Takes an image from where it comes to snapshots, with commands of the stock client, one a round on each daemon in
 * turn. What they make stays: an ext4 without a journal makes files slowly for half a minute after many were removed.
 */
export async function measureWholeWay(
  what: string,
  commands: readonly (readonly string[])[],
  sides: readonly Side[],
): Promise<Row[]> {
  const samples: Record<Side["name"], Sample[]> = { "without unpigz": [], "with unpigz": [], ours: [] };
  for (const [round, command] of commands.entries()) {
    // Who begins changes, since the others find the disk busy with the first one's files.
    const order = sides.map((_, index) => sides[(index + round) % sides.length]).filter((side) => side !== undefined);
    for (const { name, daemon } of order) samples[name].push(await measureClient(daemon, command));
  }
  const peaks = (name: Side["name"]) => Math.max(...samples[name].map(({ peak }) => peak));
  const row = (stock: "without unpigz" | "with unpigz", key: "wall" | "cpu", ratio: number): Row => ({
    what: `${what}: ${key === "cpu" ? "processor" : key}, stock ${stock}`,
    unit: "s",
    stock: median(samples[stock].map((sample) => sample[key])),
    ours: median(samples.ours.map((sample) => sample[key])),
    paired: median(samples[stock].map((sample, round) => sample[key] / (samples.ours[round]?.[key] ?? 0))),
    bound: { ratio },
    lessIsBetter: true,
  });
  return [
    ...(["without unpigz", "with unpigz"] as const).flatMap((stock) => [
      row(stock, "wall", 1.43),
      row(stock, "cpu", 1),
    ]),
    {
      what: `${what}: highest anonymous memory of all processes`,
      unit: "MiB",
      stock: peaks("without unpigz"),
      ours: peaks("ours"),
      bound: { ours: 300 },
      lessIsBetter: true,
    },
  ];
}

/** What a command of the stock client takes the daemon. */
async function measureClient(daemon: Daemon, args: readonly string[]): Promise<Sample> {
  const cpuBefore = await cpuSecondsBelow(daemon.child.pid);
  const started = performance.now();
  const over = new AbortController();
  const watched = peakUntil(daemon, over.signal);
  const { code, stderr } = await ctr(daemon.address, args, { ms: commandMs });
  if (code !== 0) throw new Error(`ctr ${args.join(" ")}: ${stderr}`);
  const wall = (performance.now() - started) / 1000;
  over.abort();
  const cpu = (await cpuSecondsBelow(daemon.child.pid)) - cpuBefore;
  const peak = await watched;
  return { wall, cpu, peak };
}

async function peakUntil(daemon: Daemon, over: AbortSignal): Promise<number> {
  let peak = 0;
  while (!over.aborted) {
    const memory = await memoryBelow(daemon.child.pid).catch(() => []); // one of them ended just now
    peak = Math.max(
      peak,
      memory.reduce((sum, { anonymous }) => sum + anonymous, 0),
    );
    await pause(sampleMs);
  }
  return peak;
}
