import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { execa } from "execa";
import { Control } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
  type HealthCheckResponse,
} from "#proto/gen/grpc/health/v1/health_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect, type Channel } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { within } from "../harness/deadline.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { skipWithout } from "../harness/peers.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";

/** The first tells of itself by reflection, the second does not. */
const fixtures = ["go-echo", "go-greeter"];
const skip = skipWithout({ peers: fixtures });
const curlMs = 30_000;

let folder: TempFolder;
let daemon: BulkheadDaemon;
let channel: Channel;

before(async () => {
  if (skip !== false) return;
  folder = await makeTempFolder("f");
  daemon = await startBulkhead({ folder, config: await packageFolder(folder, { fixtures }) });
  channel = connect(daemon.address);
});

after(async () => {
  if (skip !== false) return;
  channel[Symbol.dispose]();
  await daemon[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** `buf curl`, which knows no schema but what reflection tells it. */
async function curl(path: string, ...args: readonly string[]): Promise<string> {
  const wire = ["--unix-socket", daemon.address, "--protocol", "grpc", "--http2-prior-knowledge"];
  const { stdout } = await execa("buf", ["curl", ...wire, ...args, `http://bulkhead/${path}`], {
    timeout: curlMs,
    env: { BUF_CACHE_DIR: folder.join("buf") },
  });
  return stdout;
}

test("an outside client finds every routed service by reflection, ours and foreign ones", { skip }, async () => {
  const names = (await curl("", "--list-services")).split("\n");
  for (const name of [
    "acme.echo.v1.Echo",
    "acme.greeter.v1.Greeter",
    "bulkhead.control.v1.Control",
    "containerd.services.content.v1.Content",
    "containerd.services.version.v1.Version",
    "grpc.health.v1.Health",
  ]) {
    assert.ok(names.includes(name), `${name} among ${names.join(", ")}`);
  }
  assert.ok(!names.some((name) => name.startsWith("bulkhead.plugin") || name.startsWith("bulkhead.host")));
});

test("it calls by what reflection told: containerd's services, and a Go package's own", { skip }, async () => {
  const version = JSON.parse(await curl("containerd.services.version.v1.Version/Version", "-d", "{}")) as object;
  assert.deepEqual(Object.keys(version).sort(), ["revision", "version"]);
  const said = JSON.parse(await curl("acme.echo.v1.Echo/Say", "-d", '{"text":"from outside"}')) as { text: string };
  assert.equal(said.text, "from outside");
});

test("health of a foreign package is watched over its death, by package, by plugin and by service", {
  skip,
}, async () => {
  const stop = new AbortController();
  const changes = ["go-echo", "acme.echo.v1.first", "acme.echo.v1.Echo"].map((service) =>
    clientOf(Health, channel).watch({ service }, { signal: stop.signal })[Symbol.asyncIterator](),
  );
  const next = () =>
    Promise.all(
      changes.map(async (watch) => {
        const next: IteratorResult<HealthCheckResponse, unknown> = await within("a change", watch.next());
        return next.done === true ? undefined : next.value.status;
      }),
    );
  const all = (status: Status) => changes.map(() => status);
  assert.deepEqual(await next(), all(Status.SERVING));
  process.kill(Number((await statusOf(daemon, "go-echo")).pid), "SIGKILL");
  assert.deepEqual(await next(), all(Status.NOT_SERVING));
  assert.deepEqual(await next(), all(Status.SERVING));
  stop.abort();
});

test("control's own API only reads on the main socket, and changes things on the admin socket", { skip }, async () => {
  const before = await statusOf(daemon, "go-greeter");
  await assert.rejects(clientOf(Control, channel).restartPackage({ name: "go-greeter" }), (error) => {
    assert.ok(isHostError(error, "permission-denied"), String(error));
    assert.match(error.message, /admin\.sock/);
    return true;
  });
  assert.equal((await statusOf(daemon, "go-greeter")).pid, before.pid);
  using admin = connect(daemon.admin);
  await clientOf(Control, admin).restartPackage({ name: "go-greeter" });
  assert.notEqual((await statusOf(daemon, "go-greeter")).pid, before.pid);
});
