import { CreateRequestSchema, DeleteRequestSchema } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { DeleteImageRequestSchema } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { startBulkhead } from "../../test/harness/bulkhead-daemon.ts";
import { startStock, type Daemon } from "../../test/harness/stock-daemon.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { encoded, imageName, imagesService, makeImages, namespace } from "./image-set.ts";
import { runLoad } from "./load.ts";
import { median, type Report, type Row } from "./report.ts";
import { SteadyWriter } from "./steady-writer.ts";

export interface GcBenchOptions {
  readonly rounds: number;
  readonly images: number;
}

const layers = 10;
const leasesService = "/containerd.services.leases.v1.Leases";
const clients = 16;
/** A write may wait so long for a collection, milliseconds. */
const waitBoundMs = 20;
const quietMs = 2000;

interface Sample {
  readonly markMs: number[];
  /** The longest that a write took: with nothing else going on, while marks went on, while all was removed. */
  quietWaitMs: number;
  markWaitMs: number;
  removalWaitMs: number;
  removalMs: number;
}

/** Collections of many images: marks that find nothing, in alternation, and then the removal of all. */
export async function measureGc({ rounds, images }: GcBenchOptions): Promise<Report> {
  await using folder = await makeTempFolder("n");
  await using stock = await startStock({ config: '[plugins."io.containerd.gc.v1.scheduler"]\nstartup_delay = "24h"' });
  await using ours = await startBulkhead({
    config: "plugins: { io.containerd.gc.v1.scheduler: { startup_delay: 24h } }\n",
  });
  const samples = { stock: newSample(), bulkhead: newSample() };
  for (const daemon of [stock, ours]) await makeImages(daemon, images, layers, folder.path);
  for (const daemon of [stock, ours]) {
    // The first is not counted: it warms up, and may have to clear away what the making left.
    await collect(daemon, folder.path);
    samples[daemon.name].quietWaitMs = await waitDuring(daemon, (signal) => quiet(signal));
  }
  for (let round = 0; round < rounds; round++) {
    for (const daemon of [stock, ours]) {
      const sample = samples[daemon.name];
      sample.markMs.push(await collect(daemon, folder.path));
      const waitMs = await waitDuring(daemon, () => collect(daemon, folder.path));
      sample.markWaitMs = Math.max(sample.markWaitMs, waitMs);
    }
  }
  for (const daemon of [stock, ours]) {
    const sample = samples[daemon.name];
    sample.removalWaitMs = await waitDuring(daemon, async () => {
      const started = performance.now();
      await removeAll(daemon, images, folder.path);
      sample.removalMs = performance.now() - started;
    });
  }
  return { rows: rowsOf(samples, images) };
}

function newSample(): Sample {
  return { markMs: [], quietWaitMs: 0, markWaitMs: 0, removalWaitMs: 0, removalMs: 0 };
}

/** Milliseconds of a Delete that waits for a collection which finds nothing. */
async function collect(daemon: Daemon, folder: string): Promise<number> {
  const send = (method: string, request: Uint8Array) =>
    runLoad(
      { socket: daemon.address, method: `${leasesService}/${method}`, namespace, clients: 1, requests: [request] },
      folder,
    );
  await send("Create", encoded(CreateRequestSchema, { id: "collect" }));
  const { p50us } = await send("Delete", encoded(DeleteRequestSchema, { id: "collect", sync: true }));
  return p50us / 1000;
}

/** Images, and with the last of them, which waits for it, all that they kept. */
async function removeAll(daemon: Daemon, images: number, folder: string): Promise<void> {
  const method = `${imagesService}/Delete`;
  const request = (image: number, sync: boolean) => encoded(DeleteImageRequestSchema, { name: imageName(image), sync });
  const all = Array.from({ length: images - 1 }, (_, image) => request(image, false));
  await runLoad({ socket: daemon.address, method, namespace, clients, requests: all }, folder);
  const last = [request(images - 1, true)];
  await runLoad({ socket: daemon.address, method, namespace, clients: 1, requests: last }, folder);
}

async function waitDuring(daemon: Daemon, work: (signal: AbortSignal) => Promise<unknown>): Promise<number> {
  await using writer = new SteadyWriter(daemon.address, namespace);
  await work(AbortSignal.timeout(quietMs));
  return writer.longestMs;
}

async function quiet(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

function rowsOf({ stock, bulkhead: ours }: Record<Daemon["name"], Sample>, images: number): Row[] {
  const wait = (what: string, key: "quietWaitMs" | "markWaitMs" | "removalWaitMs", bound?: number): Row => ({
    what: `longest write ${what}`,
    unit: "ms",
    stock: stock[key],
    ours: ours[key],
    ...(bound !== undefined && { bound: { ours: bound } }),
    lessIsBetter: true,
  });
  return [
    {
      what: `a mark that finds nothing, ${images} images of ${layers} layers`,
      unit: "ms",
      stock: median(stock.markMs),
      ours: median(ours.markMs),
      paired: median(ours.markMs.map((ms, round) => (stock.markMs[round] ?? 0) / ms)),
      bound: { ratio: 1 / 1.5 },
      lessIsBetter: true,
    },
    {
      what: `removal of all, ${images * layers} snapshots`,
      unit: "ms",
      stock: stock.removalMs,
      ours: ours.removalMs,
      bound: { ratio: 1 / 2 },
      lessIsBetter: true,
    },
    wait("with nothing else going on", "quietWaitMs"),
    wait("during marks", "markWaitMs", waitBoundMs),
    wait("during the removal", "removalWaitMs", waitBoundMs),
  ];
}
