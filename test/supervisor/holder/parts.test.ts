import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readProcStat } from "../../../supervisor/holder/proc-stat.ts";
import { ask, FixtureDaemon } from "./fixture-daemon.ts";

test("router and control are started with their facts, in their own sessions, without the holder's variables", async () => {
  await using daemon = await FixtureDaemon.start({
    env: { NOTIFY_SOCKET: "@nobody", WATCHDOG_USEC: "0", LISTEN_FDS: "1" },
  });
  const { output, pid } = daemon.child;
  const control = await daemon.pidOf("control");
  assert.match(
    await output.waitFor(/control: pid/),
    new RegExp(`pid ${control} epoch 1 facts 1 ${daemon.state} root ${daemon.folder.join("root")}$`),
  );
  assert.equal(await output.waitFor(/control: environment/), "control: environment []");
  await output.waitFor(new RegExp(`control: router ${await daemon.pidOf("router")}$`));
  assert.equal(await ask(daemon.mainSocket), `main ${await daemon.pidOf("router")}`);
  assert.notEqual(control, pid);
});

test("a router that had been ready is restarted at once, and a client that connects meanwhile is answered", async () => {
  await using daemon = await FixtureDaemon.start();
  const { output } = daemon.child;
  process.kill(await daemon.pidOf("router"), "SIGKILL");
  const answer = await ask(daemon.mainSocket);
  const second = await daemon.pidOf("router", 1);
  assert.equal(answer, `main ${second}`);
  assert.match(await output.waitFor(/part ended, restarting.*part=router/), /delayMs=0 .*signal=SIGKILL/);
  await output.waitFor(new RegExp(`control: router ${second}$`));
});

test("a router that stands still is found within about a second and replaced", async () => {
  await using daemon = await FixtureDaemon.start();
  const first = await daemon.pidOf("router");
  const stoppedAt = performance.now();
  process.kill(first, "SIGSTOP");
  await daemon.child.output.waitFor(/part stalled.*part=router/);
  // Three pings 250 ms apart go unanswered; the rest is a slow machine's allowance.
  assert.ok(performance.now() - stoppedAt < 3000);
  assert.match(await ask(daemon.mainSocket), /^main \d+$/);
  assert.notEqual(await daemon.pidOf("router", 1), first);
});

test("control that had been ready is restarted at once with the next epoch, and the router stays", async () => {
  await using daemon = await FixtureDaemon.start();
  const { output } = daemon.child;
  process.kill(await daemon.pidOf("control"), "SIGKILL");
  await output.waitFor(/control: pid \d+ epoch 2 facts 2 /);
  assert.equal(await ask(daemon.mainSocket), `main ${await daemon.pidOf("router")}`);
  assert.equal(await daemon.pidOf("router", 1), Number.NaN);
});

test("epochs go on rising when the holder was killed", async () => {
  await using killed = await FixtureDaemon.start();
  killed.child.kill("SIGKILL");
  await killed.child.waitForExit();
  await using next = await FixtureDaemon.start({ folder: killed.folder });
  await next.child.output.waitFor(/control: pid \d+ epoch 2 /);
});

test("the next daemon waits for the control of one that was killed before it starts its own", async () => {
  const env = { FIXTURE_CONTROL: "lingers" };
  await using killed = await FixtureDaemon.start({ env });
  const old = await killed.pidOf("control");
  process.kill(killed.child.pid, "SIGKILL");
  await using next = await FixtureDaemon.launch({ folder: killed.folder });
  const { output } = next.child;
  await output.waitFor(new RegExp(`waiting for a process of the last daemon to end" pid=${old}$`));
  await output.waitFor(/part ready.*part=router/);
  assert.match(await ask(next.mainSocket), /^main /);
  assert.doesNotMatch(output.text, /part=control/);
  writeFileSync(join(next.state, "go"), "");
  await output.waitFor(/part ready.*part=control/);
  assert.ok([undefined, "Z"].includes(readProcStat(old)?.state));
});

test("a part that ends before it is ready is started again with growing delays, for ever", async () => {
  await using daemon = await FixtureDaemon.launch({ env: { FIXTURE_CONTROL: "exits" } });
  const { output } = daemon.child;
  for (const delayMs of [100, 200, 400]) {
    assert.match(await output.waitFor(new RegExp(`restarting it.*delayMs=${delayMs} `)), /code=3 .*part=control/);
  }
  assert.match(await ask(daemon.mainSocket), /^main /);
});

test("a host socket outlives the router: the next one has it, and nobody is refused meanwhile", async () => {
  await using daemon = await FixtureDaemon.start({ env: { FIXTURE_CONTROL: "binds" } });
  const { output } = daemon.child;
  const path = join(daemon.state, "host", "acme.sock");
  await output.waitFor(new RegExp(`control: host socket ${path} bound`));
  assert.equal(await ask(path), `acme ${await daemon.pidOf("router")}`);
  process.kill(await daemon.pidOf("router"), "SIGKILL");
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(path)));
  assert.deepEqual(new Set(answers), new Set([`acme ${await daemon.pidOf("router", 1)}`]));
  assert.equal(await daemon.stop(), 0);
  assert.equal(existsSync(path), false);
});

test("a host socket is still there when control was restarted and asks for it again", async () => {
  await using daemon = await FixtureDaemon.start({ env: { FIXTURE_CONTROL: "binds" } });
  const { output } = daemon.child;
  const path = join(daemon.state, "host", "acme.sock");
  await ask(path);
  process.kill(await daemon.pidOf("control"), "SIGKILL");
  await output.waitFor(/control: pid \d+ epoch 2 /);
  assert.equal(await ask(path), `acme ${await daemon.pidOf("router")}`);
});

test("control that gives up ends the daemon with its exit code", async () => {
  await using daemon = await FixtureDaemon.launch({ env: { FIXTURE_CONTROL: "gives-up" } });
  assert.equal((await daemon.child.waitForExit()).code, 1);
});
