import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { skipWithout } from "../harness/peers.ts";
import { row, RouterProcess } from "../supervisor/router/harness/router-process.ts";
import { runH2spec, type Outcome } from "./harness/h2spec.ts";
import { plainUpstream } from "./harness/plain-upstream.ts";
import { startHaproxy, startNginx } from "./harness/proxies.ts";

const service = "test.v1.Plain";
const path = `/${service}/Get`;
/** Longer than the windows of a few bytes that some cases set. */
const body = "\0\0\0\0\x10sixteen letters.";

/** The others are there for comparison only, and each case that nginx fails waits as long. */
const shortMs = 500;

async function runAll(): Promise<Record<"router" | "nginx" | "haproxy", ReadonlyMap<string, Outcome>>> {
  await using router = await RouterProcess.start();
  const upstream = router.socketPath("plain");
  await using _ = await plainUpstream(upstream, body);
  await router.apply({ packages: { plain: row(upstream) }, routes: { [service]: "plain" } });
  await using nginx = await startNginx(router.folder, upstream);
  await using haproxy = await startHaproxy(router.folder, upstream);
  const run = (name: string, socket: string, timeoutMs: number) =>
    runH2spec(socket, path, join(router.folder, `${name}.json`), timeoutMs);
  const [ours, nginxs, haproxys] = await Promise.all([
    run("router", router.mainSocket, 2000),
    run("nginx", nginx.socket, shortMs),
    run("haproxy", haproxy.socket, shortMs),
  ]);
  await router.ping();
  return { router: ours, nginx: nginxs, haproxy: haproxys };
}

test("every case of h2spec passes, nginx and HAProxy being asked the same", {
  skip: skipWithout({ peers: ["go-h2spec", "nginx", "haproxy"] }),
}, async (t) => {
  const outcomes = await runAll();
  for (const [name, list] of Object.entries(outcomes)) {
    const count = (outcome: Outcome["outcome"]) => [...list.values()].filter((each) => each.outcome === outcome).length;
    t.diagnostic(`${name}: ${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`);
  }
  assert.ok(outcomes.router.size > 140, `${outcomes.router.size} cases`);
  for (const { id, title, outcome, detail } of outcomes.router.values()) {
    await t.test(`${id}: ${title}`, () => assert.equal(outcome, "passed", detail));
  }
});
