import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { startBulkhead, type BulkheadDaemon } from "../../test/harness/bulkhead-daemon.ts";
import { isPart, processesOf } from "../../test/harness/chaos/processes.ts";
import { echoFleet } from "../../test/harness/echo-fleet.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { stateInMemory } from "../../test/harness/tmpfs.ts";
import { makePacked } from "./packed.ts";
import { median, type Row } from "./report.ts";

const packages = 100;
const rounds = 5;
/** V8 tidies up for half a minute after the last work. */
const restMs = 40_000;
const idleMs = 10_000;
/** Unit of /proc/<pid>/stat's times, milliseconds. */
const tickMs = 10;

/** A host of 100 packages, each a small Go process: how soon it is there, and what it costs when nobody calls. */
export async function measureFleet(): Promise<readonly Row[]> {
  await using packed = await makePacked();
  const ready: number[] = [];
  let anonymous = 0;
  let idle = 0;
  for (let round = 0; round <= rounds; round++) {
    await using folder = await makeTempFolder("fl");
    await using _state = await stateInMemory(folder);
    const config = await echoFleet(folder, packages);
    const startedMs = performance.now();
    await using daemon = await startBulkhead({ folder, config, command: packed.command });
    if (round > 0) ready.push(performance.now() - startedMs); // the first fills caches
    if (round < rounds) continue;
    await pause(restMs);
    anonymous = await partsMiB(daemon);
    idle = await idleShare(daemon);
  }
  const row = (what: string, unit: string, ours: number, bound: number): Row => ({
    what,
    unit,
    stock: undefined,
    ours,
    bound: { ours: bound },
    lessIsBetter: true,
  });
  return [
    row(`start to ${packages} packages ready, installed`, "ms", median(ready), 800),
    row("anonymous memory of holder, router and control", "MiB", anonymous, 45),
    row("processor time of those when nobody calls", "% of a core", idle * 100, 0.5),
  ];
}

async function partsMiB({ folder }: BulkheadDaemon): Promise<number> {
  const parts = (await processesOf(folder.path)).filter(isPart);
  return parts.reduce((sum, { anonymousMiB }) => sum + anonymousMiB, 0);
}

async function idleShare({ folder }: BulkheadDaemon): Promise<number> {
  const pids = (await processesOf(folder.path)).filter(isPart).map(({ pid }) => pid);
  const used = async () => (await Promise.all(pids.map(usedMs))).reduce((sum, each) => sum + each, 0);
  const before = await used();
  const startedMs = performance.now();
  await pause(idleMs);
  return ((await used()) - before) / (performance.now() - startedMs);
}

async function usedMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}
