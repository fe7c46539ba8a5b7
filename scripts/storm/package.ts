import { startBulkhead } from "../../test/harness/bulkhead-daemon.ts";
import { startEchoDaemon } from "../../test/harness/echo-daemon.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { stateInMemory } from "../../test/harness/tmpfs.ts";
import { stormTypescript } from "../../test/harness/storms/typescript-storm.ts";
import { stormPackage, type StormReport } from "../../test/harness/storms/package-storm.ts";
import type { Row } from "../bench/report.ts";
import { row, timeRows } from "./rows.ts";

const typescriptKills = 50;

/** Kills the Go echo package: once with calls that must not be repeated, once with calls that may. */
export async function packageStorm(kills: number, command: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const repeats of [false, true]) {
    await using daemon = await startEchoDaemon({ repeats, command, quickState: true });
    const options = {
      address: daemon.address,
      kills,
      connections: 8,
      callsPerSecond: 1000,
      warmCalls: 3000,
      calmCalls: 20,
    };
    rows.push(...rowsOf(repeats ? "repeatable" : "plain", await stormPackage(options)));
  }
  return [...rows, ...(await typescriptRows(command))];
}

/** Few are enough for a middle value, and each takes longer. */
async function typescriptRows(command: string): Promise<readonly Row[]> {
  await using folder = await makeTempFolder("st");
  await using _state = await stateInMemory(folder);
  await using daemon = await startBulkhead({
    folder,
    config: "packages: { events: { restart: { intensity: 0 } } }\n",
    command,
  });
  return timeRows("recovery of a TypeScript package", await stormTypescript(daemon, typescriptKills), { p50: 150 });
}

function rowsOf(kind: string, { outcomes, calls, strays }: StormReport): Row[] {
  const failed = outcomes.flatMap((outcome) => outcome.failed);
  const ended = failed.map((call) => call.endedMs);
  const recoveries = outcomes.map((outcome) => outcome.recoveryMs);
  const waits = outcomes.flatMap((outcome) => outcome.waitedMs);
  return [
    row(`${kind}: kills`, "", outcomes.length),
    row(`${kind}: calls`, "", calls),
    row(`${kind}: calls that failed far from a kill`, "", strays.length, 0),
    row(`${kind}: calls that failed with a kill`, "", failed.length, kind === "plain" ? undefined : 0),
    ...timeRows(`${kind}: from the kill to the end of those`, ended, { p99: 10 }),
    ...timeRows(`${kind}: recovery`, recoveries, { p50: 30 }),
    ...timeRows(`${kind}: calls that waited`, waits, {}),
  ];
}
