import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Echo } from "../fixtures/gen/acme/echo/v1/echo_pb.ts";
import { Relay } from "../fixtures/gen/acme/relay/v1/relay_pb.ts";
import { clientOf, connect, type Channel } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { skipWithout } from "../harness/peers.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";

const fixtures = ["go-echo", "python-relay", "python-sums"];
const skip = skipWithout({ peers: fixtures });

let folder: TempFolder;
let daemon: BulkheadDaemon;
let channel: Channel;

before(async () => {
  if (skip !== false) return;
  folder = await makeTempFolder("f");
  daemon = await startBulkhead({ folder, config: await packageFolder(folder, { fixtures }), args: ["-l", "debug"] });
  channel = connect(daemon.address);
});

after(async () => {
  if (skip !== false) return;
  channel[Symbol.dispose]();
  await daemon[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

test("a Python plugin calls the Go one it requires through the host's socket", { skip }, async () => {
  const answer = await clientOf(Relay, channel).pass({ text: "over there" });
  assert.equal(answer.text, "over there");
  assert.equal(answer.caller, "python-relay");
  const direct = await clientOf(Echo, channel).say({ text: "" });
  assert.equal(answer.echoPid, direct.pid);
});

test("what its manifest does not name is refused with the line that is missing", { skip }, async () => {
  const relay = clientOf(Relay, channel);
  for (const method of ["/acme.sums.v1.Sums/Add", "/containerd.services.images.v1.Images/List"]) {
    const { code, message } = await relay.trespass({ method });
    assert.equal(code, 7, message);
    assert.match(message, /python-relay/);
    assert.match(message, /calls|requires/);
  }
});

test("the Go one is killed again and again: the Python pid stays and its calls wait", { skip }, async () => {
  const relay = clientOf(Relay, channel);
  const first = await relay.pass({ text: "before" });
  let echoPid = Number(first.echoPid);
  for (let round = 0; round < 5; round++) {
    process.kill(echoPid, "SIGKILL");
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => relay.pass({ text: String(index) })));
    for (const [index, answer] of answers.entries()) {
      assert.equal(answer.text, String(index));
      assert.equal(answer.pid, first.pid);
    }
    const next = Number(answers.at(-1)?.echoPid);
    assert.notEqual(next, echoPid);
    echoPid = next;
  }
  const status = await statusOf(daemon, "go-echo");
  assert.equal(status.restarts, 5n);
  assert.deepEqual([status.state, Number(status.pid), status.lastExit?.signal], ["ready", echoPid, "SIGKILL"]);
});
