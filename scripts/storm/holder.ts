import { echoFleet } from "../../test/harness/echo-fleet.ts";
import { stormHolder } from "../../test/harness/storms/holder-storm.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { stateInMemory } from "../../test/harness/tmpfs.ts";
import type { Row } from "../bench/report.ts";
import { row, timeRows } from "./rows.ts";

/** Kills the holder and starts a new daemon each time. */
export async function holderStorm(deaths: number, command: string): Promise<readonly Row[]> {
  await using folder = await makeTempFolder("st");
  await using _state = await stateInMemory(folder);
  const config = await echoFleet(folder, 3);
  const report = await stormHolder({
    folder,
    config,
    command,
    deaths,
    connections: 8,
    callsPerSecond: 1000,
    calmCalls: 50,
  });
  return [
    row("deaths of the holder", "", report.deaths),
    row("calls", "", report.calls),
    row("calls that failed", "", report.failures.length, 0),
    row("clients that had to reconnect", "", report.reconnects, 0),
    row("packages with another pid", "", report.moved.length, 0),
    ...timeRows("start of a daemon to its having taken over", report.takeOverMs, {}),
  ];
}
