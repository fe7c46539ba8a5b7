import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Introspection } from "#proto/gen/containerd/services/introspection/v1/introspection_pb.ts";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { declaration, packageView, plugin, SampleSupervision } from "./sample-supervision.ts";
import { ServedControl } from "./served-control.ts";

const content = declaration("io.containerd.content.v1", "content", { exports: { root: "/r" } });
const bolt = declaration("io.containerd.metadata.v1", "bolt", {
  requires: ["io.containerd.content.v1.content"],
  wants: ["io.containerd.snapshotter.v1"],
  platforms: ["linux/arm64/v8"],
});
const scheduler = declaration("io.containerd.gc.v1", "scheduler", { requires: ["x"], shows: ["shown"] });

test("Version answers the host's version and revision", async () => {
  await using control = await ServedControl.start(new SampleSupervision());
  const { version, revision } = await control.client(Version).version({});
  assert.deepEqual({ version, revision }, { version: "1.2.3", revision: "abc" });
});

test("Plugins lists all in order with what containerd prints as requires", async () => {
  const supervision = new SampleSupervision(
    packageView("content", [plugin(content, { exports: { extra: "1" } })]),
    packageView("metadata", [plugin(bolt), plugin(scheduler)]),
  );
  await using control = await ServedControl.start(supervision);
  const { plugins } = await control.client(Introspection).plugins({});
  assert.deepEqual(
    plugins.map((each) => `${each.type}.${each.id}`),
    [
      "io.containerd.service.v1.introspection-service",
      "io.containerd.grpc.v1.introspection",
      "io.containerd.grpc.v1.healthcheck",
      "io.containerd.grpc.v1.version",
      "io.containerd.content.v1.content",
      "io.containerd.metadata.v1.bolt",
      "io.containerd.gc.v1.scheduler",
    ],
  );
  const [, introspection, , , contentInfo, boltInfo, schedulerInfo] = plugins;
  assert.deepEqual(introspection?.requires, ["io.containerd.service.v1"]);
  assert.deepEqual({ ...contentInfo?.exports }, { root: "/r", extra: "1" });
  assert.deepEqual(boltInfo?.requires, ["io.containerd.content.v1", "io.containerd.snapshotter.v1"]);
  assert.equal(boltInfo?.platforms[0]?.architecture, "arm64");
  assert.equal(boltInfo?.platforms[0]?.variant, "v8");
  assert.equal(boltInfo?.initErr, undefined);
  assert.deepEqual(schedulerInfo?.requires, ["shown"]);
});

test("states become the codes and words by which ctr tells ok, skip and error", async () => {
  const states = [
    plugin(declaration("t", "skipped"), { state: "skipped", reason: "no btrfs here" }),
    plugin(declaration("t", "worded"), { state: "skipped", reason: "no btrfs here: skip plugin" }),
    plugin(declaration("t", "failed"), { state: "failed", reason: "disk broken", code: 13 }),
    plugin(declaration("t", "starting"), { state: "backoff" }),
    plugin(declaration("t", "lazy"), { state: "on-demand" }),
    plugin(declaration("t", "off"), { state: "disabled" }),
  ];
  await using control = await ServedControl.start(
    new SampleSupervision(packageView("p", states, { reason: "exit 1" })),
  );
  const { plugins } = await control.client(Introspection).plugins({ filters: ["type==t"] });
  const shown = plugins.map(({ id, initErr }) => [id, initErr?.code ?? 0, initErr?.message ?? "ok"]);
  assert.deepEqual(shown, [
    ["skipped", 2, "no btrfs here: skip plugin"],
    ["worded", 2, "no btrfs here: skip plugin"],
    ["failed", 13, "disk broken"],
    ["starting", 14, "package p is backoff: exit 1"],
    ["lazy", 0, "ok"],
  ]);
});

test("Plugins filters by type and id and refuses a broken filter in containerd's words", async () => {
  await using control = await ServedControl.start(new SampleSupervision());
  const client = control.client(Introspection);
  const ids = async (...filters: string[]) => (await client.plugins({ filters })).plugins.map(({ id }) => id);
  assert.deepEqual(await ids("id==version"), ["version"]);
  assert.deepEqual(await ids("type~=grpc,id!=version"), ["introspection", "healthcheck"]);
  assert.deepEqual(await ids("id==version", "id==healthcheck"), ["healthcheck", "version"]);
  assert.deepEqual(await ids("nope==x"), []);
  await assert.rejects(ids("type=="), {
    kind: "invalid-argument",
    message: "filters: parse error: [type==]: expected value or quoted: invalid argument: invalid argument",
  });
});

test("PluginInfo finds one plugin, and knows no extra information", async () => {
  await using control = await ServedControl.start(new SampleSupervision());
  const client = control.client(Introspection);
  const type = "io.containerd.grpc.v1";
  assert.equal((await client.pluginInfo({ type, id: "version" })).plugin?.id, "version");
  await assert.rejects(client.pluginInfo({ type, id: "nope" }), { kind: "not-found" });
  await assert.rejects(client.pluginInfo({ type, id: "version", options: {} }), { kind: "unimplemented" });
});

test("Server gives a uuid that lasts, the pid and its namespace", async () => {
  await using control = await ServedControl.start(new SampleSupervision());
  const client = control.client(Introspection);
  const [first, second] = await Promise.all([client.server({}), client.server({})]);
  assert.match(first.uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(second.uuid, first.uuid);
  assert.equal(first.pid, BigInt(process.pid));
  assert.ok(first.pidns > 0n);
  const file = join(control.folder.path, "io.containerd.grpc.v1.introspection/uuid");
  assert.equal(await readFile(file, "utf8"), first.uuid);
});
