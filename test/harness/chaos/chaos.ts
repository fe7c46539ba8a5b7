import { setTimeout as pause } from "node:timers/promises";
import { numbersFrom } from "../../differential/chance.ts";
import { startBulkhead, type BulkheadDaemon } from "../bulkhead-daemon.ts";
import { packageFolder } from "../package-folder.ts";
import { isSettled, listPlugins } from "../plugin-status.ts";
import { makeRootfs, removeRuncFolders, runtimePath } from "../runtime.ts";
import { makeTempFolder } from "../temp-folder.ts";
import { mountTmpfs } from "../tmpfs.ts";
import { Clients, type Failure, type Gap } from "./clients.ts";
import { faults, type Fault, type Victim } from "./faults.ts";
import { walkImages } from "../images/walk.ts";
import { checkImages, writeImages, type LoadImage } from "./images.ts";
import { ContainerLane, containersLeft } from "./containers.ts";
import { holdingsOf, leaksBetween } from "./leaks.ts";
import { MemoryTrend, type Trend } from "./memory-trend.ts";

export interface ChaosOptions {
  readonly seed: number;
  readonly minutes: number;
  /** Hears of each fault as it strikes. */
  readonly onFault?: (kind: string, elapsedMs: number) => void;
}

export interface Struck {
  readonly kind: string;
  /** When it began and when all of it was done; performance.now(). */
  readonly atMs: number;
  doneMs: number;
}

export interface ChaosReport {
  readonly seed: number;
  readonly minutes: number;
  readonly faults: readonly Struck[];
  /** Calls by kind of client and what became of them. */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly gaps: readonly Gap[];
  readonly echoFailures: readonly Failure[];
  /** From the last fault to every package being ready again, milliseconds. */
  readonly recoveryMs: number;
  /** Commands that a client made after that and that failed. */
  readonly brokenAfter: readonly string[];
  /** What images, disk and databases were found to have wrong in the end. */
  readonly wrongImages: readonly string[];
  /** Exits of containers and execs that came with their code, and what went wrong with others. */
  readonly exits: number;
  readonly wrongExits: readonly string[];
  readonly leaks: readonly string[];
  readonly trends: readonly Trend[];
}

const callsPerSecond = 200;
/** Between two faults, milliseconds: at least, and by chance so much more. */
const calm = { leastMs: 200, moreMs: 2500 };
const diskSize = "192m";
const recoveryLimitMs = 60_000;
/** Hangs are found soon, and a package may die as often as chance has it. */
const overrides = "watchdog: { interval: 300ms, misses: 3 }\nrestart: { intensity: 0, max: 1s }\n";
const shipped = ["content", "differ", "events", "metadata", "monitors", "native", "overlayfs", "tasks"];
const namespaces = ["one", "two"];
/** A quiet daemon has closed what it keeps for a while. */
const quietMs = 3000;

/** Has chance strike a real daemon under load; the same seed strikes in the same order. Needs root. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  await using folder = await makeTempFolder("x");
  await using disk = await mountTmpfs(folder.join("root"), diskSize);
  const edit = (manifest: string): string => `${manifest}\n${overrides}`;
  const fixtures = ["go-echo", "go-greeter", "python-sums"].map((name) => ({ name, edit }));
  const packages = shipped.map((name) => `  ${name}: { ${overrides.trim().replaceAll("\n", ", ")} }`).join("\n");
  const config = `${await packageFolder(folder, { fixtures })}packages:\n${packages}\n`;
  await using daemons = new AsyncDisposableStack();
  const start = async () => daemons.use(await startBulkhead({ folder, config, env: { PATH: runtimePath() } }));
  let daemon = await start();
  const victim: Victim = {
    folder: folder.path,
    root: disk.path,
    random: numbersFrom(options.seed),
    restart: async () => {
      await daemon.child.ended;
      daemon = await start();
    },
    shimKills: 0,
  };
  await untilReady(daemon);
  const runtime = { namespace: `chaos${process.pid}`, rootfs: folder.join("rootfs") };
  await makeRootfs(runtime.rootfs);
  const runContainers = () => new ContainerLane(daemon.address, runtime, () => victim.shimKills);
  await runContainers()[Symbol.asyncDispose](); // one, so that what lasts of the first is there
  await pause(quietMs);
  const before = await holdingsOf(folder.path, daemon.state);
  const struck: Struck[] = [];
  const images = await writeImages(folder);
  const clients = new Clients(daemon.address, callsPerSecond, { namespaces, images });
  const memory = new MemoryTrend(folder.path);
  const containers = runContainers();
  let recoveryMs: number;
  {
    await using _memory = memory;
    await using _containers = containers;
    await using _clients = clients;
    await strikeFor(options, victim, struck);
    const lastMs = performance.now();
    await untilReady(daemon);
    recoveryMs = performance.now() - lastMs;
  }
  const brokenAfter = await brokenCommands(daemon, images);
  const [kept] = images;
  const wrongImages = kept === undefined ? [] : await checkImages(daemon.address, namespaces, kept);
  await pause(quietMs);
  const leaks = leaksBetween(before, await holdingsOf(folder.path, daemon.state));
  leaks.push(...(await containersLeft(daemon.address, runtime)));
  await daemon.stop();
  await removeRuncFolders(runtime.namespace);
  wrongImages.push(...(await walkImages(disk.path)));
  const { seed, minutes } = options;
  const { outcomes, gaps, echoFailures } = clients;
  const { trends } = memory;
  const seen = { outcomes, gaps, echoFailures, recoveryMs, brokenAfter };
  const { exits, problems: wrongExits } = containers;
  return { seed, minutes, faults: struck, ...seen, wrongImages, exits, wrongExits, leaks, trends };
}

/** Parts of the supervisor are struck in the first third only, so that the memory of a long life can be seen after it. */
async function strikeFor({ minutes, onFault }: ChaosOptions, victim: Victim, struck: Struck[]): Promise<void> {
  const startedMs = performance.now();
  const wholeMs = minutes * 60_000;
  for (let elapsedMs = 0; elapsedMs < wholeMs; elapsedMs = performance.now() - startedMs) {
    const fault = choose(victim, wholeMs < 300_000 || elapsedMs < wholeMs / 3);
    const now: Struck = { kind: fault.kind, atMs: performance.now(), doneMs: Number.POSITIVE_INFINITY };
    struck.push(now);
    onFault?.(fault.kind, elapsedMs);
    await fault.strike(victim);
    now.doneMs = performance.now();
    await pause(calm.leastMs + victim.random(calm.moreMs));
  }
}

function choose(victim: Victim, withParts: boolean): Fault {
  const offered = faults.filter(({ parts }) => withParts || !parts);
  let at = victim.random(offered.reduce((sum, { weight }) => sum + weight, 0));
  const found = offered.find(({ weight }) => (at -= weight) < 0);
  if (found === undefined) throw new Error("no fault was chosen");
  return found;
}

async function untilReady(daemon: BulkheadDaemon): Promise<void> {
  let last: readonly string[] = [];
  const over = performance.now() + recoveryLimitMs;
  while (performance.now() < over) {
    const plugins = await listPlugins(daemon).catch(() => undefined);
    last = plugins?.map(({ package: name, state, reason }) => `${name} is ${state} ${reason}`) ?? ["control is away"];
    if (plugins?.every(isSettled) === true) return;
    await pause(50);
  }
  const output = daemon.child.output.lines.slice(-20).join("\n");
  throw new Error(`not all is ready ${recoveryLimitMs} ms after the last fault: ${last.join("; ")}\n${output}`);
}

/** One round of everything that clients do, when all is well again. */
async function brokenCommands(daemon: BulkheadDaemon, images: readonly LoadImage[]): Promise<readonly string[]> {
  const clients = new Clients(daemon.address, callsPerSecond, { namespaces: ["after"], images });
  {
    await using _ = clients;
    await pause(quietMs);
  }
  return [...clients.outcomes].flatMap(([kind, counts]) =>
    [...counts.keys()].filter((outcome) => outcome !== "ok").map((outcome) => `${kind}: ${outcome}`),
  );
}
