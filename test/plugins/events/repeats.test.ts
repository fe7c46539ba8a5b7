import assert from "node:assert/strict";
import { it } from "node:test";
import { Repeats } from "../../../plugins/events/repeats.ts";

it("an envelope is a repeat for five minutes, or until thousands came after it", () => {
  let nowMs = 0;
  const repeats = new Repeats(() => nowMs);
  const envelope = Buffer.from("envelope");
  assert.equal(repeats.isRepeat(envelope), false);
  nowMs = 299_999;
  assert.equal(repeats.isRepeat(envelope), true);
  nowMs = 300_000;
  assert.equal(repeats.isRepeat(envelope), false);
  for (let n = 0; n < 8_192; n++) assert.equal(repeats.isRepeat(Buffer.from(`other ${n}`)), false);
  assert.equal(repeats.isRepeat(envelope), false);
});
