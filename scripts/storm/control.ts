import { startBulkhead } from "../../test/harness/bulkhead-daemon.ts";
import { echoFleet } from "../../test/harness/echo-fleet.ts";
import { stormControl } from "../../test/harness/storms/control-storm.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { stateInMemory } from "../../test/harness/tmpfs.ts";
import type { Row } from "../bench/report.ts";
import { row, timeRows } from "./rows.ts";

const packages = 50;

/** Kills control of a daemon with 50 packages. */
export async function controlStorm(deaths: number, command: string): Promise<readonly Row[]> {
  await using folder = await makeTempFolder("st");
  await using _state = await stateInMemory(folder);
  const config = await echoFleet(folder, packages);
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"], command });
  const report = await stormControl(daemon, {
    deaths,
    connections: 8,
    callsPerSecond: 1000,
    warmCalls: 3000,
    calmCalls: 50,
  });
  return [
    row("deaths of control", "", report.deaths),
    row("calls to packages", "", report.calls),
    row("calls to packages that failed", "", report.failures.length, 0),
    row("packages with another pid", "", report.moved.length, 0),
    row("control's own calls that failed", "", report.ownFailures.length, 0),
    row("longest of control's own calls", "ms", Math.max(...report.ownMs), 5000),
    ...timeRows(`start to ${packages} packages adopted`, report.adoptionMs, { p50: 300 }),
  ];
}
