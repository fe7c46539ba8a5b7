import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { startBulkhead } from "../../test/harness/bulkhead-daemon.ts";
import { ctr } from "../../test/harness/ctr.ts";
import { packImage } from "../../test/harness/oci-archive.ts";
import { makeRootfs, removeRuncFolders, runtimePath } from "../../test/harness/runtime.ts";
import { startStock, type Daemon } from "../../test/harness/stock-daemon.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { cpuSecondsOf } from "./cpu.ts";
import { memoryBelow, type Memory } from "./memory.ts";
import { measureReattach } from "./reattach.ts";
import { median, type Report, type Row } from "./report.ts";

const image = "example.com/bench:1";
/** Of one kind in one round. */
const runsEach = 10;
const atOnce = 50;
const clients = 8;
const resting = 200;
/** V8 tidies up for half a minute after the last work. */
const settleMs = 40_000;
const restMs = 20_000;
const ctrMs = 120_000;

/** A daemon, and a namespace on it that no other daemon of the machine has: runc's folders are shared. */
interface Side {
  readonly daemon: Daemon;
  readonly namespace: string;
}

/** What containers cost a daemon that has them running and is asked for nothing. */
interface Rest {
  /** Share of a core. */
  readonly cpu: number;
  /** KiB a container. */
  readonly growth: number;
  /** The same by process, for those that grew by one at least. */
  readonly parts: readonly string[];
}

/** Containers of a static busybox through stock shims and runc, started by the stock client, in alternation. */
export async function measureRun({ rounds }: { readonly rounds: number }): Promise<Report> {
  await using folder = await makeTempFolder("r");
  const rootfs = folder.join("rootfs");
  await makeRootfs(rootfs);
  const archive = await packImage(folder.path, image, [rootfs]);
  const env = { PATH: runtimePath() };
  await using stock = await startStock({ env });
  await using ours = await startBulkhead({ env });
  const sides = [stock, ours].map((daemon): Side => ({ daemon, namespace: `bench-${process.pid}-${daemon.name}` }));
  try {
    for (const side of sides) await run(side, "image", "import", archive);
    const { rows, notes = [] } = await measureSides(sides, rounds);
    return { rows: [...rows, ...(await measureReattach())], notes };
  } finally {
    for (const { namespace } of sides) await removeRuncFolders(namespace);
  }
}

async function measureSides(sides: readonly Side[], rounds: number): Promise<Report> {
  const once = await alternate(sides, rounds, runsEach, (side, name) => runOnce(side, name));
  for (const side of sides) await run(side, "run", "-d", image, "kept", "/bin/sleep", "100000");
  const exec = await alternate(sides, rounds, runsEach, (side, name) =>
    run(side, "tasks", "exec", "--exec-id", name, "kept", "/bin/true"),
  );
  for (const side of sides) await end(side, "kept");
  const many = await alternate(sides, rounds, 1, runMany);
  const rest = { stock: await measureRest(sides[0]), ours: await measureRest(sides[1]) };
  const row = (what: string, samples: Samples, bound: number): Row => ({
    what,
    unit: "ms",
    stock: median(samples.stock),
    ours: median(samples.bulkhead),
    paired: median(samples.stock.map((sample, index) => sample / (samples.bulkhead[index] ?? 0))),
    bound: { ratio: 1 / bound },
    lessIsBetter: true,
  });
  const rows: Row[] = [
    row("ctr run --rm", once, 1.25),
    row("ctr tasks exec", exec, 1.15),
    row(`${atOnce} containers by ${clients} clients`, many, 1.1),
    {
      what: `${resting} running, nobody calls`,
      unit: "% of a core",
      stock: rest.stock.cpu * 100,
      ours: rest.ours.cpu * 100,
      bound: { ours: 0.5 },
      lessIsBetter: true,
    },
    {
      what: `anonymous memory of one of ${resting}`,
      unit: "KiB",
      stock: rest.stock.growth,
      ours: rest.ours.growth,
      bound: { ours: 50 },
      lessIsBetter: true,
    },
  ];
  return { rows, notes: [`memory of one of ${resting}, KiB: ${rest.ours.parts.join(", ")}`, ""] };
}

type Samples = Record<Daemon["name"], number[]>;

/** Milliseconds of each, one daemon after the other; the first round warms up and does not count. */
async function alternate(
  sides: readonly Side[],
  rounds: number,
  count: number,
  work: (side: Side, name: string) => Promise<unknown>,
): Promise<Samples> {
  const samples: Samples = { stock: [], bulkhead: [] };
  for (let index = 0; index < (rounds + 1) * count; index++) {
    const order = index % 2 === 0 ? sides : sides.toReversed();
    for (const side of order) {
      const started = performance.now();
      await work(side, `n${index}`);
      if (index >= count) samples[side.daemon.name].push(performance.now() - started);
    }
  }
  return samples;
}

function runOnce(side: Side, name: string): Promise<void> {
  return run(side, "run", "--rm", image, name, "/bin/true");
}

async function runMany(side: Side, name: string): Promise<void> {
  const names = Array.from({ length: atOnce }, (_, index) => `${name}-${index}`);
  const client = async (): Promise<void> => {
    for (let next = names.pop(); next !== undefined; next = names.pop()) await runOnce(side, next);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

async function measureRest(side: Side | undefined): Promise<Rest> {
  assert.ok(side !== undefined);
  await pause(settleMs);
  const before = await ownProcesses(side);
  const names = Array.from({ length: resting }, (_, index) => `rest-${index}`);
  for (const name of names) await run(side, "run", "-d", image, name, "/bin/sleep", "100000");
  await pause(settleMs);
  const processes = await ownProcesses(side);
  const pids = processes.map(({ pid }) => pid);
  const used = cpuSecondsOf(pids);
  await pause(restMs);
  const cpu = (cpuSecondsOf(pids) - used) / (restMs / 1000);
  for (const name of names) await end(side, name);
  const ofOne = (mebibytes: number): number => (mebibytes * 1024) / resting;
  const parts = processes
    .map(({ pid, name, anonymous }) => ({
      name,
      growth: ofOne(anonymous - (before.find((each) => each.pid === pid)?.anonymous ?? 0)),
    }))
    .filter(({ growth }) => growth >= 1)
    .map(({ name, growth }) => `${name} ${growth.toFixed(0)}`);
  return { cpu, growth: ofOne(anonymousOf(processes) - anonymousOf(before)), parts };
}

async function end(side: Side, name: string): Promise<void> {
  await run(side, "tasks", "kill", "-s", "9", name);
  await run(side, "tasks", "delete", "--force", name);
  await run(side, "containers", "rm", name);
}

/** The daemon without shims and containers, which are below our holder and not below stock. */
async function ownProcesses({ daemon }: Side): Promise<Memory[]> {
  return (await memoryBelow(daemon.child.pid)).filter(({ name }) => !/shim|sleep/.test(name));
}

function anonymousOf(processes: readonly Memory[]): number {
  return processes.reduce((sum, { anonymous }) => sum + anonymous, 0);
}

async function run({ daemon, namespace }: Side, ...words: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await ctr(daemon.address, words, { namespace, ms: ctrMs });
  assert.equal(code, 0, `ctr ${words.join(" ")}: ${stdout}${stderr}`);
}
