import assert from "node:assert/strict";
import { test } from "node:test";
import { Greeter } from "../fixtures/gen/acme/greeter/v1/greeter_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { skipWithout } from "../harness/peers.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const skip = skipWithout({ peers: ["go-greeter"] });

const outcomes = [
  {
    title: "a plugin whose Init says skip is skipped with its reason",
    config: "skip: no manners here",
    state: "skipped",
    reason: /no manners here/,
  },
  {
    title: "a plugin whose Init fails is failed with its text",
    config: "fail: out of greetings",
    state: "failed",
    reason: /out of greetings/,
  },
  {
    title: "config against the schema fails the plugin before it runs",
    config: "greeting: 7",
    state: "failed",
    reason: /greeting/,
  },
  { title: "config with an unknown key fails the plugin", config: "greting: Hi", state: "failed", reason: /greting/ },
] as const;

for (const { title, config, state, reason } of outcomes) {
  test(title, { skip }, async () => {
    await using folder = await makeTempFolder("f");
    const packages = await packageFolder(folder, { fixtures: ["go-greeter"] });
    const plugins = `plugins: { acme.greeter.v1.go: { ${config} } }\n`;
    await using daemon = await startBulkhead({ folder, config: packages + plugins });
    const status = await statusOf(daemon, "go-greeter");
    assert.equal(status.state, state, status.reason);
    assert.match(status.reason, reason);
    using channel = connect(daemon.address);
    await assert.rejects(clientOf(Greeter, channel).greet({ name: "x" }), (error) => {
      assert.ok(isHostError(error, "unavailable") || isHostError(error, "unimplemented"), String(error));
      return true;
    });
  });
}
