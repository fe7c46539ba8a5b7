import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { FixtureDaemon } from "./fixture-daemon.ts";

test("SIGTERM stops control, then the router, exits 0 and leaves no socket, lock or folder", async () => {
  await using daemon = await FixtureDaemon.start({ env: { FIXTURE_CONTROL: "binds" } });
  const { output } = daemon.child;
  assert.equal(await daemon.stop(), 0);
  const order = output.lines.filter((line) => /control: stop|router: stop|part ended/.test(line));
  assert.match(order.join("\n"), /^control: stop SIGTERM\n.*part=control.*\nrouter: stop\n.*part=router.*$/);
  assert.equal(existsSync(daemon.state), false);
  assert.deepEqual(readdirSync(daemon.folder.join("root")), []);
});

test("SIGINT does the same", async () => {
  await using daemon = await FixtureDaemon.start();
  daemon.child.kill("SIGINT");
  assert.equal((await daemon.child.waitForExit()).code, 0);
  await daemon.child.output.waitFor(/control: stop SIGINT/);
});

test("SIGHUP and SIGPIPE end nothing, and SIGUSR1 has everybody say their state", async () => {
  await using daemon = await FixtureDaemon.start();
  for (const signal of ["SIGHUP", "SIGPIPE", "SIGUSR1"] as const) daemon.child.kill(signal);
  await daemon.child.output.waitFor(/control: dump/);
  assert.match(await daemon.child.output.waitFor(/state of holder/), /control=\d+ pid=\d+ router=\d+/);
  assert.equal(await daemon.stop(), 0);
});

test("a second signal hastens the stop", async () => {
  await using daemon = await FixtureDaemon.start({ env: { FIXTURE_CONTROL: "slow" } });
  const { output } = daemon.child;
  daemon.child.kill("SIGTERM");
  await output.waitFor(/control: stop SIGTERM$/);
  daemon.child.kill("SIGTERM");
  await output.waitFor(/control: stop SIGTERM hasten$/);
  assert.equal((await daemon.child.waitForExit()).code, 0);
});

test("control that does not stop within the time it said is killed, and the daemon exits 1", async () => {
  await using daemon = await FixtureDaemon.start({ env: { FIXTURE_CONTROL: "deaf" } });
  assert.equal(await daemon.stop(), 1);
  await daemon.child.output.waitFor(/control did not stop in time, killing it.*limitMs=300/);
  assert.equal(existsSync(daemon.mainSocket), false);
});

test("a router that does not stop is killed", async () => {
  await using daemon = await FixtureDaemon.start({ env: { FIXTURE_ROUTER: "deaf" } });
  assert.equal(await daemon.stop(), 0);
  await daemon.child.output.waitFor(/part ended.*part=router.*signal=SIGKILL/);
});

test("control that dies while it is to stop is not started again", async () => {
  await using daemon = await FixtureDaemon.start({ env: { FIXTURE_CONTROL: "dies" } });
  assert.equal(await daemon.stop(), 1);
  assert.equal(await daemon.pidOf("control", 1), Number.NaN);
});

test("a stop during the delay before a restart does not wait for it", async () => {
  await using daemon = await FixtureDaemon.launch({ env: { FIXTURE_CONTROL: "exits" } });
  await daemon.child.output.waitFor(/restarting it.*delayMs=800 /);
  assert.equal(await daemon.stop(), 1);
});

test("a signal in the first moment stops the daemon as well", async () => {
  await using daemon = await FixtureDaemon.launch();
  await daemon.child.output.waitFor(/starting bulkhead/);
  assert.equal(await daemon.stop(), 0);
});
