import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CommitSnapshotRequestSchema,
  PrepareSnapshotRequestSchema,
  RemoveSnapshotRequestSchema,
  Snapshots,
  UsageRequestSchema,
} from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead } from "../../test/harness/bulkhead-daemon.ts";
import { startStock, type Daemon } from "../../test/harness/stock-daemon.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { encoded, namespace, snapshotsService, snapshotter } from "./image-set.ts";
import { runLoad, type LoadResult } from "./load.ts";
import { median, type Report, type Row } from "./report.ts";

const kinds = ["Prepare", "Commit", "Remove"] as const;
type Kind = (typeof kinds)[number] | "Usage";

const callsOf: Readonly<Record<number, number>> = { 1: 200, 16: 1600 };
const usageCalls = 5;
const treeFiles = 60_000;
const filesPerFolder = 100;
const treeKey = "tree";
/** What the project bounds of the p50 at one client: stock's over ours. */
const bounds: Readonly<Record<Kind, number>> = { Prepare: 1 / 1.5, Remove: 1 / 1.5, Commit: 1 / 1.8, Usage: 1 / 1.5 };

type Results = Map<string, Record<Daemon["name"], LoadResult[]>>;

/** Snapshots of overlayfs through the main socket, one client and sixteen, in alternation. */
export async function measureSnapshots({ rounds }: { readonly rounds: number }): Promise<Report> {
  await using folder = await makeTempFolder("n");
  // Snapshots that nothing refers to are to stay until they are removed.
  const delay = "24h";
  await using stock = await startStock({
    config: `[plugins."io.containerd.gc.v1.scheduler"]\nstartup_delay = "${delay}"`,
  });
  await using ours = await startBulkhead({
    config: `plugins: { io.containerd.gc.v1.scheduler: { startup_delay: ${delay} } }\n`,
  });
  const daemons = [stock, ours];
  for (const daemon of daemons) await makeTree(daemon);
  const results: Results = new Map();
  // The first round warms both up.
  for (let round = -1; round < rounds; round++) {
    if (round === 0) results.clear();
    for (const clients of [1, 16]) {
      for (const kind of kinds) {
        for (const daemon of daemons) await measure(daemon, kind, clients, round, folder.path, results);
      }
    }
    for (const daemon of daemons) await measure(daemon, "Usage", 1, round, folder.path, results);
  }
  return { rows: rowsOf(results) };
}

/** An active snapshot with many small files in it. */
async function makeTree(daemon: Daemon): Promise<void> {
  using channel = connect(daemon.address);
  const scope = { metadata: { "containerd-namespace": namespace } };
  const { mounts } = await clientOf(Snapshots, channel).prepare({ snapshotter, key: treeKey }, scope);
  const top = mounts[0]?.source ?? "";
  for (let index = 0; index < treeFiles; index += filesPerFolder) {
    const folder = join(top, `${index}`);
    await mkdir(folder);
    const names = Array.from({ length: filesPerFolder }, (_, file) => join(folder, `${file}`));
    await Promise.all(names.map((name) => writeFile(name, name)));
  }
}

async function measure(
  daemon: Daemon,
  kind: Kind,
  clients: number,
  round: number,
  folder: string,
  results: Results,
): Promise<void> {
  const count = kind === "Usage" ? usageCalls : (callsOf[clients] ?? 0);
  const requests = Array.from({ length: count }, (_, index) => requestOf(kind, `${round} ${clients} ${index}`));
  const method = `${snapshotsService}/${kind}`;
  const result = await runLoad({ socket: daemon.address, method, namespace, clients, requests }, folder);
  const key = `${kind} ${clients}`;
  const entry = results.get(key) ?? { stock: [], bulkhead: [] };
  entry[daemon.name].push(result);
  results.set(key, entry);
}

function requestOf(kind: Kind, run: string): Uint8Array {
  const [key, name] = [`key ${run}`, `name ${run}`];
  switch (kind) {
    case "Prepare":
      return encoded(PrepareSnapshotRequestSchema, { snapshotter, key });
    case "Commit":
      return encoded(CommitSnapshotRequestSchema, { snapshotter, key, name });
    case "Remove":
      return encoded(RemoveSnapshotRequestSchema, { snapshotter, key: name });
    case "Usage":
      return encoded(UsageRequestSchema, { snapshotter, key: treeKey });
  }
}

function rowsOf(results: Results): Row[] {
  return [...results].map(([key, { stock, bulkhead: ours }]): Row => {
    const [kind, clients] = key.split(" ") as [Kind, string];
    const isAlone = clients === "1";
    const pick = (result: LoadResult) => (isAlone ? result.p50us : result.calls / result.seconds);
    const ratios = ours.map((result, round) => {
      const [one, other] = [pick(stock[round] ?? result), pick(result)];
      return isAlone ? one / other : other / one;
    });
    return {
      what: kind === "Usage" ? `${kind} of ${treeFiles} files` : `${kind}, ${clients} client${isAlone ? ": p50" : "s"}`,
      unit: isAlone ? "µs" : "calls/s",
      stock: median(stock.map(pick)),
      ours: median(ours.map(pick)),
      paired: median(ratios),
      bound: { ratio: isAlone ? bounds[kind] : 1 },
      lessIsBetter: isAlone,
    };
  });
}
