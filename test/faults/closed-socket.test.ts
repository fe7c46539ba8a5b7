import assert from "node:assert/strict";
import { test } from "node:test";
import { clientOf, connect } from "#rpc";
import { Echo } from "../fixtures/gen/acme/echo/v1/echo_pb.ts";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { skipWithout } from "../harness/peers.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { untilStatus } from "../harness/status-watch.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const skip = skipWithout({ peers: ["go-closes-socket"] });
const callMs = 10_000;

test("a package that closes its socket and lives is replaced, and calls are answered again", { skip }, async () => {
  await using folder = await makeTempFolder("cs");
  const config = await packageFolder(folder, { fixtures: ["go-closes-socket"] });
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const before = await statusOf(daemon, "go-closes-socket");
  using channel = connect(daemon.address);
  const say = () => clientOf(Echo, channel).say({ text: "hello" }, { deadlineMs: Date.now() + callMs });
  await say();
  await assert.rejects(say(), /went away during the call/);
  const after = await untilStatus(
    daemon,
    "go-closes-socket",
    ({ pid, state }) => state === "ready" && pid !== before.pid,
  );
  assert.notEqual(after.pid, before.pid);
  assert.equal((await say()).pid, after.pid);
});
