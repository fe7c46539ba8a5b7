import assert from "node:assert/strict";
import { test } from "node:test";
import { frameTypes } from "#proto/http2/constants.ts";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { within } from "../harness/deadline.ts";
import { RawPeer, request } from "./router/harness/raw-peer.ts";

test("limits of the config hold in the router of a real daemon", async () => {
  await using daemon = await startBulkhead({
    config: "router: { header_list_size: 2KiB, streams_per_connection: 3, pings_per_second: 7 }\n",
  });
  const client = await RawPeer.client(daemon.address);
  try {
    const settings = await client.next(frameTypes.settings);
    assert.ok(settings.payload.includes(Buffer.from([0, 3, 0, 0, 0, 3])), settings.payload.toString("hex"));
    const large: [string, string] = ["x-large", "a".repeat(2048)];
    client.headers(1, request("/containerd.services.version.v1.Version/Version", [large]), true);
    const { headers } = await client.next(frameTypes.headers, 1);
    assert.match(headers["grpc-message"] ?? "", /over the limit of 2048/);
    for (let sent = 0; sent < 20; sent++) client.frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
    const { payload } = await client.next(frameTypes.goaway);
    assert.equal(payload.subarray(8).toString(), "more than 7 PING frames in a second");
    await within("the connection's end", client.closed);
  } finally {
    client.close();
  }
});
