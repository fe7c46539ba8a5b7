import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderField } from "#proto/http2/header-field.ts";
import { BufferPool } from "../../../supervisor/router/buffer-pool.ts";
import { CallRequest } from "../../../supervisor/router/call-request.ts";
import { RequestHead } from "../../../supervisor/router/request-head.ts";
import { request } from "./harness/raw-peer.ts";

test("what was lent for a request's beginning goes back whole, so that it is lent again", () => {
  const lent: Buffer[] = [];
  class WatchedPool extends BufferPool {
    override take(bytes: number): Buffer {
      const buffer = super.take(bytes);
      lent.push(buffer);
      return buffer;
    }
  }
  const pool = new WatchedPool();
  const fields = request("/test.v1.Echo/Unary").map(([name, value]) => new HeaderField(name, value));
  const kept = new CallRequest(new RequestHead(fields, Buffer.alloc(0)), false, 0, pool);
  kept.add(Buffer.alloc(5000), 0, 5000);
  kept.drop();
  assert.equal(lent.length, 1);
  assert.ok(pool.take(5000) === lent[0]);
});
