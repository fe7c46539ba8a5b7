import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { startBulkhead } from "../../test/harness/bulkhead-daemon.ts";
import { startStock, type Daemon } from "../../test/harness/stock-daemon.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { bindOf, LayerClient, ociGzip, overlayOf } from "../../test/plugins/differ/layer-client.ts";
import { cpuSecondsBelow } from "./cpu.ts";
import { makeImageLayers, makeSmallFilesLayer } from "./layers.ts";
import { memoryBelow } from "./memory.ts";
import { median, type Report, type Row } from "./report.ts";

/** Seconds of one unpack. */
interface Sample {
  readonly wall: number;
  readonly cpu: number;
}

interface Subject {
  readonly what: string;
  readonly files: readonly string[];
  /** What wall and processor time may be, stock's over ours. */
  readonly bounds: { readonly wall: number; readonly cpu?: number };
}

const applyMs = 600_000;

/**
 * Unpacks the same layers through both daemons by Diff.Apply, the first on a bind mount and the others on overlays of
 * the ones before, in alternation; storing them first is not counted.
 */
export async function measureUnpack({ rounds }: { readonly rounds: number }): Promise<Report> {
  await using folder = await makeTempFolder("u");
  const subjects: Subject[] = [
    { what: "3 layers of /usr, 300 MB", files: await makeImageLayers(folder.path), bounds: { wall: 1 / 0.7, cpu: 1 } },
    { what: "60,000 small files", files: [await makeSmallFilesLayer(folder.path)], bounds: { wall: 1 / 1.3 } },
  ];
  await using stock = await startStock();
  await using ours = await startBulkhead();
  const rows: Row[] = [];
  for (const subject of subjects) rows.push(...(await measureSubject(subject, [stock, ours], rounds)));
  const memory = await memoryBelow(ours.child.pid);
  for (const { name, peak } of memory.filter((each) => each.name === "differ")) {
    rows.push({ what: `highest memory, ${name}`, unit: "MiB", stock: undefined, ours: peak, lessIsBetter: true });
  }
  const hasPigz = (process.env["PATH"] ?? "").split(":").some((path) => isProgram(join(path, "unpigz")));
  return { rows, notes: [`unpigz is ${hasPigz ? "there: stock decompresses with it" : "absent"}`] };
}

async function measureSubject(
  { what, files, bounds }: Subject,
  daemons: readonly Daemon[],
  rounds: number,
): Promise<Row[]> {
  const samples = { stock: [] as Sample[], bulkhead: [] as Sample[] };
  for (let round = 0; round < rounds; round++) {
    // Who begins changes, since the second finds the disk busy with the first one's files.
    const order = round % 2 === 0 ? daemons : daemons.toReversed();
    // Nothing is removed before the end: ext4 creates files slowly for seconds after many were removed.
    for (const daemon of order) samples[daemon.name].push(await measure(daemon, files, `${files.length}-${round}`));
  }
  const row = (unit: string, key: keyof Sample, ratio: number | undefined): Row => ({
    what: `${what}: ${unit}`,
    unit: "s",
    stock: median(samples.stock.map((sample) => sample[key])),
    ours: median(samples.bulkhead.map((sample) => sample[key])),
    paired: median(samples.stock.map((sample, round) => sample[key] / (samples.bulkhead[round]?.[key] ?? 0))),
    ...(ratio !== undefined && { bound: { ratio } }),
    lessIsBetter: true,
  });
  return [row("wall", "wall", bounds.wall), row("processor", "cpu", bounds.cpu)];
}

async function measure(daemon: Daemon, files: readonly string[], folder: string): Promise<Sample> {
  using client = new LayerClient(daemon.address);
  const blobs = [];
  for (const path of files) blobs.push(await client.store({ path }, ociGzip));
  const place = (name: string): string => daemon.folder.join("unpacked", folder, name);
  const cpuBefore = await cpuSecondsBelow(daemon.child.pid);
  const started = performance.now();
  const lowers: string[] = [];
  for (const [index, blob] of blobs.entries()) {
    const [upper, work] = [place(`${index}/fs`), place(`${index}/work`)];
    for (const path of [upper, work]) mkdirSync(path, { recursive: true });
    const mounts = index === 0 ? bindOf(upper) : overlayOf(upper, work, lowers);
    await client.apply(blob, mounts, { deadlineMs: Date.now() + applyMs });
    lowers.unshift(upper);
  }
  const wall = (performance.now() - started) / 1000;
  const cpu = (await cpuSecondsBelow(daemon.child.pid)) - cpuBefore;
  return { wall, cpu };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
