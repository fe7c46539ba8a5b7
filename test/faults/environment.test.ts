import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { skipWithout } from "../harness/peers.ts";
import { isSettled, listPlugins, statusOf } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const hostile = {
  PLUGIN_MIN_PORT: "1",
  PLUGIN_PROTOCOL_VERSIONS: "9",
  PLUGIN_CLIENT_CERT: "x",
  NOTIFY_SOCKET: "/nonexistent/notify",
  WATCHDOG_USEC: "1",
  WATCHDOG_PID: "1",
  NODE_OPTIONS: "--require=/nonexistent/preload.cjs",
  LD_PRELOAD: "",
  LISTEN_FDS: "3",
  LISTEN_PID: "1",
  BULKHEAD_SOCKET: "/nonexistent/socket",
  BULKHEAD_PACKAGE: "somebody-else",
};
const handedOn = ["PLUGIN_", "NOTIFY_SOCKET", "WATCHDOG_", "NODE_OPTIONS", "LD_PRELOAD", "LISTEN_", "/nonexistent"];

test("variables set outside change nothing, and no package sees them", {
  skip: skipWithout({ peers: ["go-echo"] }),
}, async () => {
  await using folder = await makeTempFolder("e");
  const config = await packageFolder(folder, { fixtures: ["go-echo"] });
  await using daemon = await startBulkhead({ folder, config, env: hostile });
  const plugins = await listPlugins(daemon);
  assert.deepEqual(
    plugins.filter((plugin) => !isSettled(plugin)),
    [],
  );
  const { pid } = await statusOf(daemon, "go-echo");
  const environment = (await readFile(`/proc/${pid}/environ`, "utf8")).split("\0");
  const seen = environment.filter((entry) => handedOn.some((mark) => entry.includes(mark)));
  assert.deepEqual(seen, []);
  assert.ok(environment.includes("BULKHEAD_PACKAGE=go-echo"));
});
