import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { execa } from "execa";
import { create, toBinary } from "@bufbuild/protobuf";
import { ReadContentRequestSchema } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { startBulkhead } from "../../test/harness/bulkhead-daemon.ts";
import { containerdProgram } from "../../test/harness/peers.ts";
import { startStock, type Daemon } from "../../test/harness/stock-daemon.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { runLoad } from "./load.ts";
import { memoryBelow } from "./memory.ts";
import { median, type Row } from "./report.ts";

const pieceBytes = 1024 ** 2;
const commandMs = 300_000;

interface Sample {
  readonly ingest: number;
  readonly get: number;
  readonly read: number;
}

export interface ContentBenchOptions {
  readonly rounds: number;
  /** Of the blob, whole MiB. */
  readonly mebibytes: number;
}

export async function measureContent({ rounds, mebibytes }: ContentBenchOptions): Promise<readonly Row[]> {
  const blobBytes = mebibytes * pieceBytes;
  await using folder = await makeTempFolder("n");
  await using stock = await startStock();
  await using ours = await startBulkhead();
  const file = folder.join("blob");
  await writeRandom(file, blobBytes);
  const samples = { stock: [] as Sample[], bulkhead: [] as Sample[] };
  const before = await peaks(ours);
  for (let round = 0; round < rounds; round++) {
    await writeRandom(file, pieceBytes);
    const digest = await digestOf(file);
    for (const daemon of [stock, ours])
      samples[daemon.name].push(await measure({ daemon, file, digest, blobBytes, folder: folder.path }));
  }
  const after = await peaks(ours);
  const row = (what: string, key: keyof Sample, ratio: number): Row => ({
    what,
    unit: "MiB/s",
    stock: median(samples.stock.map((sample) => sample[key])),
    ours: median(samples.bulkhead.map((sample) => sample[key])),
    paired: median(samples.bulkhead.map((sample, round) => sample[key] / (samples.stock[round]?.[key] ?? 0))),
    bound: { ratio },
    lessIsBetter: false,
  });
  return [
    row(`ctr content ingest of ${mebibytes} MiB`, "ingest", 2),
    row(`ctr content get of ${mebibytes} MiB (32 KiB a call)`, "get", 0.7),
    row(`one Read of ${mebibytes} MiB`, "read", 1),
    ...[...after].map(
      ([name, peak]): Row => ({
        what: `highest memory, ${name} (${(before.get(name) ?? 0).toFixed(0)} before)`,
        unit: "MiB",
        stock: undefined,
        ours: peak,
        lessIsBetter: true,
      }),
    ),
  ];
}

interface Blob {
  readonly daemon: Daemon;
  readonly file: string;
  readonly digest: string;
  readonly blobBytes: number;
  readonly folder: string;
}

async function measure({ daemon, file, digest, blobBytes, folder }: Blob): Promise<Sample> {
  const ctr = (...args: string[]) =>
    [containerdProgram("ctr"), ["--address", daemon.address, "content", ...args]] as const;
  const rate = (started: number) => blobBytes / pieceBytes / ((performance.now() - started) / 1000);
  const options = ["--expected-digest", digest, "--expected-size", String(blobBytes)];
  const ingestStarted = performance.now();
  await execa(...ctr("ingest", ...options, `ref-${digest}`), { inputFile: file, timeout: commandMs });
  const ingest = rate(ingestStarted);
  const getStarted = performance.now();
  await execa(...ctr("get", digest), { stdout: "ignore", timeout: commandMs });
  const get = rate(getStarted);
  const readStarted = performance.now();
  const requests = [toBinary(ReadContentRequestSchema, create(ReadContentRequestSchema, { digest }))];
  const method = "/containerd.services.content.v1.Content/Read";
  const load = { socket: daemon.address, method, namespace: "default", clients: 1, requests, stream: true };
  const { bytes } = await runLoad(load, folder);
  if (bytes < blobBytes) throw new Error(`Read gave ${bytes} bytes of ${blobBytes}`);
  const read = rate(readStarted);
  await execa(...ctr("rm", digest), { timeout: commandMs });
  return { ingest, get, read };
}

async function peaks(daemon: Daemon): Promise<ReadonlyMap<string, number>> {
  return new Map((await memoryBelow(daemon.child.pid)).map(({ name, peak }) => [name, peak]));
}

/** Overwrites the first bytes of a file, which is made when missing. */
async function writeRandom(file: string, bytes: number): Promise<void> {
  await using handle = await open(file, "r+").catch(() => open(file, "w"));
  for (let at = 0; at < bytes; at += pieceBytes) await handle.write(randomBytes(pieceBytes), 0, pieceBytes, at);
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(file, { highWaterMark: pieceBytes })) hash.update(bytes as Buffer);
  return `sha256:${hash.digest("hex")}`;
}
