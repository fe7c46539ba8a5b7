import { watch } from "node:fs";
import { basename, dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { clientOf, connect } from "#rpc";
import { launcher } from "../../test/harness/bulkhead-daemon.ts";
import { Child } from "../../test/harness/child.ts";
import { launchStock, stockFor } from "../../test/harness/stock-daemon.ts";
import { within } from "../../test/harness/deadline.ts";
import { makeTempFolder, type TempFolder } from "../../test/harness/temp-folder.ts";
import { stateInMemory } from "../../test/harness/tmpfs.ts";
import { makePacked } from "./packed.ts";
import { memoryBelow, type Memory } from "./memory.ts";
import { median, type Row } from "./report.ts";

const rounds = 9;
const bootMs = 30_000;
/** Processes tidy up once they have been quiet for a second; memory at rest is what they hold after that. */
const restMs = 4000;

interface Boot {
  readonly versionMs: number;
  readonly listMs: number;
  readonly readyMs: number;
  readonly memory: readonly Memory[];
}

/** Bounds on anonymous memory by process, in MiB. */
const memoryBounds: Readonly<Record<string, number>> = { control: 22, router: 10, holder: 10 };
const packageBound = 20;

/** What is started: the stock daemon, or ours as it is installed or as it stands in the checkout. */
type Subject = { readonly kind: "stock" } | { readonly kind: "ours"; readonly command: string };

export async function measureBoot(): Promise<readonly Row[]> {
  await using packed = await makePacked();
  const subjects = {
    stock: { kind: "stock" },
    installed: { kind: "ours", command: packed.command },
    checkout: { kind: "ours", command: launcher },
  } as const;
  // The first of each fills caches: the page cache, and our compile cache.
  for (const subject of Object.values(subjects)) await boot(subject);
  const stock: Boot[] = [];
  const installed: Boot[] = [];
  const checkout: Boot[] = [];
  for (let round = 0; round < rounds; round++) {
    const rest = round === rounds - 1 ? restMs : 0;
    stock.push(await boot(subjects.stock, rest));
    installed.push(await boot(subjects.installed, rest));
    checkout.push(await boot(subjects.checkout, rest));
  }
  const row = (what: string, ours: readonly Boot[], pick: (boot: Boot) => number, bound?: number): Row => ({
    what,
    unit: "ms",
    stock: median(stock.map(pick)),
    ours: median(ours.map(pick)),
    ...(bound === undefined ? {} : { bound: { ours: bound } }),
    lessIsBetter: true,
  });
  const builds = [
    ["installed", installed],
    ["checkout", checkout],
  ] as const;
  // What people install has bounds; sources are read file by file, and their rows stand there to be watched.
  const bounds = { installed: { version: 200, list: 350, ready: 500 }, checkout: undefined };
  return [
    ...builds.flatMap(([build, boots]) => [
      row(`start to first answered Version, ${build}`, boots, (each) => each.versionMs, bounds[build]?.version),
      row(`start to first Namespaces.List, ${build}`, boots, (each) => each.listMs, bounds[build]?.list),
      row(`start to all packages ready, ${build}`, boots, (each) => each.readyMs, bounds[build]?.ready),
    ]),
    ...builds.flatMap(([build, boots]) => memoryRows(build, stock.at(-1)?.memory ?? [], boots.at(-1)?.memory ?? [])),
  ];
}

function memoryRows(build: string, stock: readonly Memory[], ours: readonly Memory[]): Row[] {
  const total = (list: readonly Memory[], field: "pss" | "anonymous") =>
    list.reduce((sum, memory) => sum + memory[field], 0);
  const rows = ours.flatMap((memory): Row[] => [
    {
      what: `anonymous memory at rest, ${build}, ${memory.name}`,
      unit: "MiB",
      stock: undefined,
      ours: memory.anonymous,
      bound: { ours: memoryBounds[memory.name] ?? packageBound },
      lessIsBetter: true,
    },
    {
      what: `whole share of memory, ${build}, ${memory.name}`,
      unit: "MiB",
      stock: undefined,
      ours: memory.pss,
      lessIsBetter: true,
    },
  ]);
  for (const [what, field] of [
    ["anonymous", "anonymous"],
    ["whole share of", "pss"],
  ] as const) {
    rows.push({
      what: `${what} memory, ${build}, all processes`,
      unit: "MiB",
      stock: total(stock, field),
      ours: total(ours, field),
      lessIsBetter: true,
    });
  }
  return rows;
}

/** Boots one daemon on a fresh root without a config file, looks at its memory after a rest, and stops it. */
async function boot(subject: Subject, rest = 0): Promise<Boot> {
  await using folder = await makeTempFolder("n");
  await using _state = await stateInMemory(folder);
  const socket = folder.join("c.sock");
  const stockConfig = subject.kind === "stock" ? await stockFor(folder) : "";
  const appeared = fileAppears(socket);
  const started = performance.now();
  await using child = subject.kind === "stock" ? launchStock(folder, stockConfig) : launchOurs(folder, subject.command);
  const since = () => performance.now() - started;
  const ready = child.output.waitFor(/successfully booted in/, bootMs).then(since);
  await within("the socket", appeared, bootMs);
  using channel = connect(socket, { waitForReady: true });
  const options = { deadlineMs: Date.now() + bootMs };
  const [versionMs, listMs, readyMs] = await Promise.all([
    clientOf(Version, channel).version({}, options).then(since),
    clientOf(Namespaces, channel).list({}, options).then(since),
    ready,
  ]);
  const memory = rest === 0 ? [] : await setTimeout(rest).then(() => memoryBelow(child.pid));
  child.kill("SIGTERM");
  await child.waitForExit();
  return { versionMs, listMs, readyMs, memory };
}

function launchOurs(folder: TempFolder, command: string): Child {
  const words = ["--root", folder.join("root"), "--state", folder.join("state"), "--address", folder.join("c.sock")];
  return new Child(command, [...words, "daemon"], { env: { ...process.env, XDG_RUNTIME_DIR: folder.path } });
}

/** Resolves when the file is made; its folder must exist. */
async function fileAppears(path: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = watch(dirname(path), (_event, name) => {
    if (name === basename(path)) resolve();
  });
  try {
    await promise;
  } finally {
    watcher.close();
  }
}
