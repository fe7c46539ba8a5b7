import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RefLocks } from "../../../plugins/content/ref-locks.ts";
import { within } from "../../harness/deadline.ts";
import { never } from "./blobs.ts";

const impatient = { now: () => 1_700_000_000_123_000_000n, random: () => 0 };
const patient = { now: () => 0n, random: () => 0.999 };

describe("the lock of a ref", () => {
  it("is refused to a second writer in containerd's words", async () => {
    const locks = new RefLocks(impatient);
    await locks.acquire("r", never);
    await assert.rejects(locks.acquire("r", never), {
      kind: "unavailable",
      message: "ref r locked for 0ms (since 2023-11-14 22:13:20.123 +0000 UTC): unavailable",
    });
    await locks.acquire("other", never);
  });

  it("is handed to those who wait in their order, once each", async () => {
    const locks = new RefLocks(patient);
    const release = await locks.acquire("r", never);
    const order: string[] = [];
    const waiter = async (name: string) => {
      const done = await locks.acquire("r", never);
      order.push(name);
      await new Promise(setImmediate);
      done();
      done();
    };
    const waiting = [waiter("a"), waiter("b"), waiter("c")];
    release();
    release();
    await within("all had their turn", Promise.all(waiting));
    assert.deepEqual(order, ["a", "b", "c"]);
    (await locks.acquire("r", never))();
  });

  it("passes over a waiter who has gone", async () => {
    const locks = new RefLocks(patient);
    const release = await locks.acquire("r", never);
    const gone = new AbortController();
    const first = locks.acquire("r", gone.signal);
    const second = locks.acquire("r", never);
    gone.abort(new Error("the client left"));
    await assert.rejects(first, /the client left/);
    release();
    (await within("the second gets it", second))();
  });
});
