import assert from "node:assert/strict";
import { test } from "node:test";
import { Echo } from "../fixtures/gen/acme/echo/v1/echo_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { skipWithout } from "../harness/peers.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const fixtures = ["go-echo", "go-echo-two"];
const skip = skipWithout({ peers: fixtures });

test("of two packages with one service the config's choice answers, and metadata picks the other", {
  skip,
}, async () => {
  await using folder = await makeTempFolder("f");
  const packages = await packageFolder(folder, { fixtures });
  await using daemon = await startBulkhead({
    folder,
    config: `${packages}routes: { acme.echo.v1.Echo: go-echo-two }\n`,
  });
  using channel = connect(daemon.address);
  const echo = clientOf(Echo, channel);
  const from = async (plugin?: string) =>
    (await echo.say({ text: "" }, plugin === undefined ? {} : { metadata: { "bulkhead-plugin": plugin } })).from;
  assert.equal(await from(), "go-echo-two");
  assert.equal(await from("go-echo"), "go-echo");
  assert.equal(await from("acme.echo.v1.first"), "go-echo");
  assert.equal(await from("go-echo-two"), "go-echo-two");
  assert.equal(await from("acme.echo.v1.second"), "go-echo-two");
  await assert.rejects(from("nobody"), (error) => {
    assert.ok(isHostError(error, "not-found"), String(error));
    assert.match(error.message, /go-echo/);
    return true;
  });
});

test("without a choice the first by name keeps the route, and the other says which line would choose", {
  skip,
}, async () => {
  await using folder = await makeTempFolder("f");
  await using daemon = await startBulkhead({ folder, config: await packageFolder(folder, { fixtures }) });
  using channel = connect(daemon.address);
  assert.equal((await clientOf(Echo, channel).say({ text: "" })).from, "go-echo");
  const loser = await statusOf(daemon, "go-echo-two");
  assert.equal(loser.state, "failed");
  assert.match(loser.reason, /go-echo/);
  assert.match(loser.reason, /routes.*acme\.echo\.v1\.Echo.*go-echo-two/);
});
