import assert from "node:assert/strict";
import { appendFile, truncate, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { Control } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { within } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { declaration, packageView, plugin, SampleSupervision } from "./sample-supervision.ts";
import { ServedControl } from "./served-control.ts";

const thing = declaration("acme.thing.v1", "one", { routes: ["acme.v1.Thing"], requires: ["x"], calls: ["y"] });

test("ListPlugins shows control's own plugins first and every fact of a package", async () => {
  const lastExit = { code: -1, signal: "SIGKILL", oomKilled: false, atMs: 1_700_000_000_500 };
  const acme = packageView("acme", [plugin(thing)], { restarts: 3, lastExit, nextAttemptMs: 1_700_000_001_000 });
  await using control = await ServedControl.start(new SampleSupervision(acme));
  const { plugins } = await control.client(Control).listPlugins({});
  assert.equal(plugins[0]?.package, "control");
  assert.equal(plugins[0]?.pid, BigInt(process.pid));
  const found = plugins.at(-1);
  assert.equal(found?.id, "one");
  assert.equal(found?.restarts, 3n);
  assert.equal(found?.since?.seconds, 1_700_000_000n);
  assert.deepEqual(
    [found?.lastExit?.code, found?.lastExit?.signal, found?.lastExit?.at?.nanos],
    [-1, "SIGKILL", 500_000_000],
  );
  assert.equal(found?.nextAttempt?.seconds, 1_700_000_001n);
  assert.equal(plugins[0]?.nextAttempt, undefined);
});

test("GetPackage tells what a package serves, needs and is configured with", async () => {
  const acme = packageView("acme", [plugin(thing)], {
    config: { "acme.thing.v1.one": { a: 1 } },
    notes: ["no cgroup"],
  });
  await using control = await ServedControl.start(new SampleSupervision(acme));
  const found = await control.client(Control).getPackage({ name: "acme" });
  assert.deepEqual(found.routes, ["acme.v1.Thing"]);
  assert.deepEqual([found.requires, found.calls, found.notes], [["x"], ["y"], ["no cgroup"]]);
  assert.deepEqual({ ...found.configJson }, { "acme.thing.v1.one": '{"a":1}' });
  await assert.rejects(control.client(Control).getPackage({ name: "nope" }), {
    kind: "not-found",
    message: 'package "nope" is not known; there are: control, acme',
  });
});

test("RestartPackage is refused on the main socket and done on the admin socket", async () => {
  const supervision = new SampleSupervision(packageView("acme", [plugin(thing)]));
  await using control = await ServedControl.start(supervision);
  await assert.rejects(control.client(Control).restartPackage({ name: "acme" }), (error: HostError) => {
    assert.equal(error.kind, "permission-denied");
    assert.ok(error.message.endsWith(`call it on ${control.adminSocket}`), error.message);
    return true;
  });
  assert.deepEqual(supervision.restarted, []);
  const { plugins } = await control.client(Control, "admin").restartPackage({ name: "acme" });
  assert.deepEqual(supervision.restarted, ["acme"]);
  assert.equal(plugins[0]?.generation, 2n);
});

test("RestartPackage says why the next instance is not ready, and refuses what is not a child", async () => {
  const external = packageView("proxy", [], { tier: "external" });
  const supervision = new SampleSupervision(packageView("acme", [plugin(thing)]), external);
  await using control = await ServedControl.start(supervision);
  const client = control.client(Control, "admin");
  supervision.restartFailure = new HostError("failed-precondition", "acme exited with code 78: bad config");
  await assert.rejects(client.restartPackage({ name: "acme" }), { message: "acme exited with code 78: bad config" });
  await assert.rejects(client.restartPackage({ name: "control" }), { kind: "failed-precondition" });
  await assert.rejects(client.restartPackage({ name: "proxy" }), { kind: "failed-precondition" });
  await assert.rejects(client.restartPackage({ name: "nope" }), { kind: "not-found" });
});

async function readAll(chunks: AsyncIterable<{ data: Uint8Array }>): Promise<string> {
  let text = "";
  for await (const { data } of chunks) text += Buffer.from(data).toString();
  return text;
}

test("ReadLog gives the last lines, also of the instance before", async () => {
  await using logs = await makeTempFolder();
  await writeFile(logs.join("acme.1"), "a1\na2\na3\n");
  await writeFile(logs.join("acme.3"), "c1\nc2");
  await writeFile(logs.join("other.2"), "never\n");
  const acme = packageView("acme", [plugin(thing)], { logFile: logs.join("acme.3"), generation: 3 });
  await using control = await ServedControl.start(new SampleSupervision(acme));
  const client = control.client(Control);
  const read = (lines: number) => readAll(client.readLog({ package: "acme", lines }));
  assert.equal(await read(1), "c2");
  assert.equal(await read(2), "c1\nc2");
  assert.equal(await read(4), "a2\na3\nc1\nc2");
  assert.equal(await read(0), "a1\na2\na3\nc1\nc2");
  await assert.rejects(readAll(client.readLog({ package: "control" })), { kind: "failed-precondition" });
  await assert.rejects(readAll(client.readLog({ package: "nope" })), { kind: "not-found" });
});

test("ReadLog gives at most 1 MiB of old output, and of an instance that wrote nothing nothing", async () => {
  await using logs = await makeTempFolder();
  await writeFile(logs.join("acme.1"), `${"x".repeat(99)}\n`.repeat(20_000));
  const views = ["acme", "quiet"].map((name) => packageView(name, [], { logFile: logs.join(`${name}.1`) }));
  await using control = await ServedControl.start(new SampleSupervision(...views));
  const client = control.client(Control);
  assert.equal((await readAll(client.readLog({ package: "acme", lines: 1_000_000 }))).length, 1024 * 1024);
  assert.equal((await readAll(client.readLog({ package: "acme", lines: 1000 }))).length, 100_000);
  assert.equal(await readAll(client.readLog({ package: "quiet" })), "");
});

test("ReadLog follows appended lines, a truncated file and the next instance's file", async () => {
  await using logs = await makeTempFolder();
  const file = logs.join("acme.1");
  await writeFile(file, "one\n");
  const supervision = new SampleSupervision(packageView("acme", [plugin(thing)], { logFile: file }));
  await using control = await ServedControl.start(supervision);
  const chunks = control.client(Control).readLog({ package: "acme", follow: true })[Symbol.asyncIterator]();
  let text = "";
  const until = async (end: string) => {
    while (!text.endsWith(end)) {
      const next = await within(`output up to ${JSON.stringify(end)}, so far ${text}`, chunks.next());
      assert.ok(next.done !== true, "the stream ended");
      text += Buffer.from(next.value.data).toString();
    }
  };
  await until("one\n");
  await appendFile(file, "two\n");
  await until("two\n");
  await truncate(file);
  await appendFile(file, "3\n");
  await until("3\n");
  await appendFile(file, "last words\n");
  supervision.change("acme", { state: "starting", generation: 2, logFile: logs.join("acme.2") });
  await until("last words\n");
  await writeFile(logs.join("acme.2"), "hello\n");
  supervision.change("acme", { state: "ready" });
  await until("hello\n");
  assert.equal(text, "one\ntwo\n3\nlast words\nhello\n");
  await chunks.return?.();
  await within("nobody watches any more", new Promise<void>((resolve) => supervision.whenUnwatched(resolve)));
});
