import assert from "node:assert/strict";
import { test } from "node:test";
import { Health, HealthCheckResponse_ServingStatus } from "#proto/gen/grpc/health/v1/health_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect, implement, serve, type Server } from "#rpc";
import { Echo } from "../../fixtures/gen/acme/echo/v1/echo_pb.ts";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { within } from "../../harness/deadline.ts";
import { packageFolder } from "../../harness/package-folder.ts";
import { skipWithout } from "../../harness/peers.ts";
import { statusOf, waitForState } from "../../harness/plugin-status.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";

const skip = skipWithout({ peers: ["go-echo"] });
const interval = 200;
const misses = 2;
/** Ten times what the contract promises. */
const replacedWithinMs = 10 * (interval * misses + 500);
const watchdog = `watchdog: { interval: ${interval}ms, misses: ${misses} }`;

test("a stopped process is replaced within its watchdog's time, and its hung calls fail then", { skip }, async () => {
  await using folder = await makeTempFolder("l");
  const packages = await packageFolder(folder, { fixtures: ["go-echo"] });
  const config = `${packages}packages: { go-echo: { ${watchdog} } }\n`;
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const { pid } = await statusOf(daemon, "go-echo");
  using channel = connect(daemon.address);
  const echo = clientOf(Echo, channel);
  await echo.say({ text: "before" });
  // Not idempotent, so it is not asked again.
  const hung = assert.rejects(echo.hang({}), (error) => isHostError(error, "unavailable"));
  await daemon.child.output.waitFor(/hanging.*plugin=go-echo/);
  process.kill(Number(pid), "SIGSTOP");
  const stoppedAt = performance.now();
  await within("the hung call fails", hung, replacedWithinMs);
  const { text, pid: next } = await echo.say({ text: "after" });
  assert.ok(performance.now() - stoppedAt < replacedWithinMs);
  assert.equal(text, "after");
  assert.notEqual(next, pid);
  await daemon.child.output.waitFor(
    /reason="no answer to 2 health checks in a row.*plugin=go-echo|plugin=go-echo.*no answer to 2/,
  );
  const status = await statusOf(daemon, "go-echo");
  assert.deepEqual([status.state, status.restarts], ["ready", 1n]);
});

/** Health as the test wants it: served, hung, or not serving. */
class Outside {
  mode: "serving" | "hung" | "not-serving" = "serving";
  readonly socket: string;
  #server: Server | undefined;

  constructor(folder: TempFolder) {
    this.socket = folder.join("outside.sock");
  }

  async open(): Promise<void> {
    const answer = async () => {
      if (this.mode === "hung") await new Promise(() => {});
      const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
      return { status: this.mode === "serving" ? SERVING : NOT_SERVING };
    };
    this.#server = serve({ services: [implement(Health, { check: answer })] });
    await this.#server.listen(this.socket);
  }

  async close(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }
}

test("an external package is not ok while its socket is missing or hung, and never killed for being unwell", async () => {
  await using folder = await makeTempFolder("l");
  const outside = new Outside(folder);
  const config = [
    `proxy_plugins: { far: { type: snapshot, address: ${outside.socket} } }`,
    `packages: { far: { ${watchdog} } }`,
    "boot: { wait: 500ms }\n",
  ].join("\n");
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const { output } = daemon.child;
  assert.equal((await statusOf(daemon, "far")).state, "starting");
  await outside.open();
  await waitForState(daemon, "far", "ready");

  outside.mode = "not-serving";
  assert.match(await waitForState(daemon, "far", "unhealthy"), /NOT_SERVING/);
  outside.mode = "serving";
  await output.waitFor(/from=unhealthy.*plugin=far.*to=ready/);

  const closedAt = performance.now();
  await outside.close();
  assert.match(await waitForState(daemon, "far", "stopping"), /cannot be connected/);
  assert.ok(performance.now() - closedAt < 10_000); // promised within a second
  assert.notEqual((await statusOf(daemon, "far")).state, "ready");

  await outside.open();
  await output.waitFor(/generation=2.*plugin=far.*to=ready/);
  outside.mode = "hung";
  await output.waitFor(/no answer to 2 health checks/);
  assert.notEqual((await statusOf(daemon, "far")).state, "ready");
  await outside.close();
});
