import assert from "node:assert/strict";
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { test } from "node:test";
import { socketpair } from "#linux";
import { NetTransport } from "../../../supervisor/router/net-transport.ts";

test("a write to a peer that is gone is known to have reached nobody", () => {
  const [ours, theirs] = socketpair("stream");
  const transport = NetTransport.adopt(new Socket({ fd: ours, readable: false, writable: true }));
  assert.equal(transport.write(Buffer.from("one"), 3), true);
  assert.equal(transport.refused, false);
  closeSync(theirs);
  transport.write(Buffer.from("two"), 3);
  assert.equal(transport.refused, true);
  transport.destroy();
});
