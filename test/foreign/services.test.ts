import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Greeter } from "../fixtures/gen/acme/greeter/v1/greeter_pb.ts";
import { Echo } from "../fixtures/gen/acme/echo/v1/echo_pb.ts";
import { Sums } from "../fixtures/gen/acme/sums/v1/sums_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { codeOf } from "#proto/wire/status.ts";
import { clientOf, connect, type Channel } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { skipWithout } from "../harness/peers.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";

const fixtures = ["go-echo", "go-greeter", "python-sums"];
const skip = skipWithout({ peers: fixtures });

let folder: TempFolder;
let daemon: BulkheadDaemon;
let channel: Channel;

before(async () => {
  if (skip !== false) return;
  folder = await makeTempFolder("f");
  const packages = await packageFolder(folder, { fixtures });
  const config = `${packages}plugins: { acme.greeter.v1.go: { greeting: Ahoy } }\n`;
  daemon = await startBulkhead({ folder, config });
  channel = connect(daemon.address);
});

after(async () => {
  if (skip !== false) return;
  channel[Symbol.dispose]();
  await daemon[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

test("a Go server that knows nothing of its host answers all four kinds of call", { skip }, async () => {
  const echo = clientOf(Echo, channel);
  const said = await echo.say({ text: "hi" }, { metadata: { "x-own": "1", "bulkhead-forged": "1" } });
  assert.equal(said.text, "hi");
  assert.equal(said.from, "go-echo");
  assert.equal(said.metadata["x-own"], "1");
  assert.equal(said.metadata["bulkhead-forged"], undefined);
  assert.equal(said.metadata["bulkhead-caller"], `uid:${process.getuid?.()}`);
  const repeated = await Array.fromAsync(echo.repeat({ text: "r", times: 500 }), (answer) => answer.text);
  assert.deepEqual(
    repeated,
    Array.from({ length: 500 }, () => "r"),
  );
  const texts = async function* () {
    yield* [{ text: "a" }, { text: "b" }, { text: "c" }];
  };
  assert.equal((await echo.collect(texts())).text, "a b c");
  assert.deepEqual(await Array.fromAsync(echo.chat(texts()), (answer) => answer.text), ["a", "b", "c"]);
});

test("its errors come with code and text", { skip }, async () => {
  for (const code of [1, 2, 3, 5, 7, 9, 13, 16]) {
    await assert.rejects(clientOf(Echo, channel).fail({ code, message: `with ${code} and ü` }), (error) => {
      assert.ok(isHostError(error));
      assert.deepEqual([codeOf(error.kind), error.message], [code, `with ${code} and ü`]);
      return true;
    });
  }
});

test("a client that leaves is noticed by the server", { skip }, async () => {
  const leave = new AbortController();
  const hanging = clientOf(Echo, channel).hang({}, { signal: leave.signal });
  setImmediate(() => leave.abort());
  await assert.rejects(hanging);
  await assert.rejects(clientOf(Echo, channel).hang({}, { deadlineMs: Date.now() + 200 }), (error) =>
    isHostError(error, "deadline-exceeded"),
  );
});

test("a Python server answers through the same socket", { skip }, async () => {
  const sums = clientOf(Sums, channel);
  assert.equal((await sums.add({ numbers: [1n, 2n, 39n] })).sum, 42n);
  const numbers = async function* () {
    for (const number of [1n, 2n, 3n]) yield { number };
  };
  assert.deepEqual(await Array.fromAsync(sums.run(numbers()), (answer) => answer.sum), [1n, 3n, 6n]);
});

test("a Go plugin of tier 3 got its config, root and generation in Init", { skip }, async () => {
  const greeting = await clientOf(Greeter, channel).greet({ name: "Bob" });
  assert.equal(greeting.text, "Ahoy, Bob!");
  assert.equal(greeting.generation, 1n);
  assert.match(greeting.root, /acme\.greeter\.v1\.go$/);
  const status = await statusOf(daemon, "go-greeter");
  assert.deepEqual(
    [status.state, status.tier, status.version, Number(status.pid)],
    ["ready", "native", "2.1.0", Number(greeting.pid)],
  );
});
