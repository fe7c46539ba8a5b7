import { mkdirSync } from "node:fs";
import type { Daemon } from "../../test/harness/stock-daemon.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { bindOf, LayerClient, ociGzip, overlayOf } from "../../test/plugins/differ/layer-client.ts";
import { cpuSecondsBelow } from "./cpu.ts";
import { makeArchive, type Archive } from "./image-archive.ts";
import { makeImageLayers, makeSmallFilesLayer } from "./layers.ts";
import { memoryBelow } from "./memory.ts";
import { median, type Report, type Row } from "./report.ts";
import { startSides, type Side } from "./sides.ts";
import { measureWholeWay } from "./whole-way.ts";

/** Seconds of one unpack. */
interface Sample {
  readonly wall: number;
  readonly cpu: number;
}

interface Subject {
  readonly what: string;
  readonly files: readonly string[];
  /** What wall and processor time must be, stock's over ours: 0.7 and 1.3 times as long at most. */
  readonly bounds: { readonly wall: number; readonly cpu?: number };
}

const applyMs = 600_000;

/**
 * Unpacks the same layers through our daemon and through the stock one, which decompresses by itself or with the
 * `unpigz` it finds: by Diff.Apply, the first layer on a bind mount and the others on overlays of the ones before, in
 * alternation. Storing them first is not counted.
 */
export async function measureUnpack({ rounds }: { readonly rounds: number }): Promise<Report> {
  await using folder = await makeTempFolder("u");
  const subjects: Subject[] = [
    { what: "3 layers of /usr, 300 MB", files: await makeImageLayers(folder.path), bounds: { wall: 1.43, cpu: 1 } },
    { what: "60,000 small files", files: [await makeSmallFilesLayer(folder.path)], bounds: { wall: 0.77 } },
  ];
  await using stack = new AsyncDisposableStack();
  const sides = await startSides(stack);
  const rows: Row[] = [];
  for (const subject of subjects) rows.push(...(await measureSubject(subject, sides, rounds)));
  const layers = subjects[0]?.files ?? [];
  const archives: Archive[] = [];
  for (let round = 0; round < rounds; round++) archives.push(await makeArchive(folder.path, layers, round));
  const imports = archives.map(({ path }) => ["image", "import", path]);
  rows.push(...(await measureWholeWay("import of the 300 MB", imports, sides)));
  const memory = await memoryBelow(sides.find(({ name }) => name === "ours")?.daemon.child.pid ?? 0);
  for (const { name, peak } of memory.filter((each) => each.name === "differ")) {
    rows.push({ what: `highest memory, ${name}`, unit: "MiB", stock: undefined, ours: peak, lessIsBetter: true });
  }
  return { rows };
}

async function measureSubject(
  { what, files, bounds }: Subject,
  sides: readonly Side[],
  rounds: number,
): Promise<Row[]> {
  const samples: Record<Side["name"], Sample[]> = { "without unpigz": [], "with unpigz": [], ours: [] };
  for (let round = 0; round < rounds; round++) {
    // Who begins changes, since the others find the disk busy with the first one's files.
    const order = sides.map((_, index) => sides[(index + round) % sides.length]).filter((side) => side !== undefined);
    // Nothing is removed before the end: ext4 creates files slowly for seconds after many were removed.
    for (const { name, daemon } of order) samples[name].push(await measure(daemon, files, `${files.length}-${round}`));
  }
  const row = (stock: "without unpigz" | "with unpigz", key: keyof Sample, ratio: number | undefined): Row => ({
    what: `${what}: ${key === "cpu" ? "processor" : key}, stock ${stock}`,
    unit: "s",
    stock: median(samples[stock].map((sample) => sample[key])),
    ours: median(samples.ours.map((sample) => sample[key])),
    paired: median(samples[stock].map((sample, round) => sample[key] / (samples.ours[round]?.[key] ?? 0))),
    ...(ratio !== undefined && { bound: { ratio } }),
    lessIsBetter: true,
  });
  return (["without unpigz", "with unpigz"] as const).flatMap((stock) => [
    row(stock, "wall", bounds.wall),
    row(stock, "cpu", bounds.cpu),
  ]);
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
