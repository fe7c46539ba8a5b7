import { startBulkhead } from "../../test/harness/bulkhead-daemon.ts";
import { echoFleet } from "../../test/harness/echo-fleet.ts";
import { stormRouter } from "../../test/harness/storms/router-storm.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { stateInMemory } from "../../test/harness/tmpfs.ts";
import type { Row } from "../bench/report.ts";
import { row, timeRows } from "./rows.ts";

/** Kills the router alone, then the router with control. */
export async function routerStorm(deaths: number, command: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const withControl of [false, true]) {
    await using folder = await makeTempFolder("st");
    await using _state = await stateInMemory(folder);
    const config = await echoFleet(folder, 3);
    await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"], command });
    const options = { deaths, connections: 8, callsPerSecond: 1000, warmCalls: 3000, calmCalls: 50, withControl };
    const report = await stormRouter(daemon, options);
    const kind = withControl ? "router and control" : "router";
    rows.push(
      row(`${kind}: deaths`, "", report.deaths),
      row(`${kind}: calls`, "", report.calls),
      row(`${kind}: connects`, "", report.connects),
      row(`${kind}: connects turned down`, "", report.refused.length, 0),
      row(`${kind}: fresh calls that failed`, "", report.freshFailures.length, 0),
      ...timeRows(`${kind}: death to a fresh call's answer`, report.freshMs, { p99: withControl ? 300 : 100 }),
      row(`${kind}: calls that failed`, "", report.failed.length),
      ...timeRows(
        `${kind}: death to the end of those`,
        report.failed.map(({ endedMs }) => endedMs),
        {},
      ),
    );
  }
  return rows;
}
