import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { Health } from "#proto/gen/grpc/health/v1/health_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { statusOf, waitForState } from "../harness/plugin-status.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";

/** Each is broken in one way; all of them are there at once, and the daemon serves on. */
const expectations: readonly {
  readonly name: string;
  readonly wrong: string;
  readonly state: string;
  readonly reason: RegExp;
}[] = [
  { name: "no-command", wrong: "has a command that does not exist", state: "backoff", reason: /bin\/not-there/ },
  { name: "exits-at-once", wrong: "exits at once", state: "backoff", reason: /3.*last words/ },
  {
    name: "bad-config",
    wrong: "says that its config is wrong",
    state: "failed",
    reason: /the colour must be a colour/,
  },
  { name: "not-here", wrong: "is not for this machine", state: "skipped", reason: /79|moon|machine/ },
  {
    name: "never-ready",
    wrong: "never gets ready",
    state: "backoff",
    reason: /not ready within 1s: it has not bound its socket.*bulkhead logs never-ready.*readiness\.timeout/,
  },
  {
    name: "writes-garbage",
    wrong: "writes garbage",
    state: "backoff",
    reason: /not ready within 2s: it has not bound its socket/,
  },
  {
    name: "only-accepts",
    wrong: "takes connections and says nothing",
    state: "backoff",
    reason: /not ready within 2s: its socket does not answer; see bulkhead logs only-accepts/,
  },
  {
    name: "speaks-garbage",
    wrong: "speaks garbage on its socket",
    state: "backoff",
    reason: /its socket does not answer/,
  },
  {
    name: "steals-a-route",
    wrong: "routes another's service",
    state: "failed",
    reason: /metadata.*routes|routes.*metadata/s,
  },
  { name: "unknown-tier", wrong: "speaks an unknown protocol", state: "failed", reason: /not offered by bulkhead/ },
  {
    name: "cycle-one",
    wrong: "stands in a cycle",
    state: "failed",
    reason: /cycle-one.*cycle-two|acme\.cycle\.v1\.one.*acme\.cycle\.v1\.two/,
  },
  {
    name: "cycle-two",
    wrong: "stands in a cycle",
    state: "failed",
    reason: /cycle-two.*cycle-one|acme\.cycle\.v1\.two.*acme\.cycle\.v1\.one/,
  },
  {
    name: "waits-for-nobody",
    wrong: "requires what is not there",
    state: "waiting",
    reason: /acme\.absent\.v1\.nobody/,
  },
  { name: "broken-manifest", wrong: "has a broken manifest", state: "failed", reason: /name|command|version/ },
];

let folder: TempFolder;
let daemon: BulkheadDaemon;

before(async () => {
  folder = await makeTempFolder("p");
  const broken = ["reserved-route", "serves-nothing", ...expectations.map(({ name }) => name)];
  daemon = await startBulkhead({ folder, config: await packageFolder(folder, { broken }), args: ["-l", "debug"] });
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

for (const { name, wrong, state, reason } of expectations) {
  test(`a package that ${wrong} is ${state} and says why (${name})`, async () => {
    if (state === "backoff") {
      // It is tried again and again, so the state may be the next one by now.
      assert.match(await waitForState(daemon, name, state), reason);
      return;
    }
    if ((await statusOf(daemon, name)).state !== state) await waitForState(daemon, name, state);
    const status = await statusOf(daemon, name);
    assert.equal(status.state, state, status.reason);
    assert.match(status.reason, reason);
  });
}

test("a service of the host is never routed from a package, which is told so (reserved-route)", async () => {
  assert.match(await daemon.child.output.waitFor(/reserved-route/), /grpc\.health\.v1\.Health.*routes/);
  using channel = connect(daemon.address);
  await clientOf(Health, channel).check({ service: "" });
});

test("among all of them the shipped packages serve on", async () => {
  using channel = connect(daemon.address);
  const namespaces = clientOf(Namespaces, channel);
  await namespaces.create(
    { namespace: { name: "still-here" } },
    { metadata: { "containerd-namespace": "still-here" } },
  );
  const { namespaces: listed } = await namespaces.list({});
  assert.ok(listed.some(({ name }) => name === "still-here"));
});

test("a call to a failed package fails at once and names its state", async () => {
  using channel = connect(daemon.address);
  const started = performance.now();
  await assert.rejects(channel.unary("/acme.broken.v1.BadConfig/Do", new Uint8Array()), (error) => {
    assert.ok(isHostError(error, "unavailable"), String(error));
    assert.match(error.message, /bad-config/);
    return true;
  });
  assert.ok(performance.now() - started < 5000);
});

test("a package that serves nothing is ready all the same, and its calls name the service that is missing", async () => {
  if ((await statusOf(daemon, "serves-nothing")).state !== "ready") {
    await waitForState(daemon, "serves-nothing", "ready");
  }
  using channel = connect(daemon.address);
  await assert.rejects(channel.unary("/acme.broken.v1.ServesNothing/Do", new Uint8Array()), (error) => {
    assert.ok(isHostError(error, "unimplemented"), String(error));
    assert.match(error.message, /acme\.broken\.v1\.ServesNothing/);
    return true;
  });
});

test("a package without a manifest that can be read takes no route from anybody", async () => {
  using channel = connect(daemon.address);
  await assert.rejects(channel.unary("/acme.nobody.v1.Nothing/Do", new Uint8Array()), (error) => {
    assert.ok(isHostError(error, "unimplemented"), String(error));
    assert.match(error.message, /acme\.nobody\.v1\.Nothing/);
    return true;
  });
});
