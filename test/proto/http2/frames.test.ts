import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameReader } from "#proto/http2/frame-reader.ts";
import { FrameWriter } from "#proto/http2/frame-writer.ts";
import { ConnectionError } from "#proto/http2/protocol-error.ts";
import { applySettings, defaultSettings } from "#proto/http2/settings.ts";
import { growWindow, ReceiveWindow } from "#proto/http2/windows.ts";

function sample(): Buffer {
  const writer = new FrameWriter();
  writer.settings({ initialWindowBytes: 70_000, enablePush: false });
  writer.headers(1, Buffer.alloc(40_000, "h"), false, 16_384);
  writer.data(1, Buffer.from("xhellox"), 1, 6, true);
  writer.data(3, Buffer.alloc(16_384, "d"), 0, 16_384, false);
  writer.rstStream(3, 8);
  writer.windowUpdate(0, 0x7fffffff);
  writer.goaway(5, 2, "why");
  return Buffer.from(writer.bytes.subarray(0, writer.length));
}

function readIn(bytes: Buffer, step: number): string[] {
  const reader = new FrameReader(16_384);
  const seen: string[] = [];
  const sink = {
    ended: false,
    onFrame: (type: number, flags: number, id: number, payload: Buffer, start: number, end: number) => {
      seen.push(`${type} ${flags} ${id} ${payload.toString("latin1", start, end)}`);
    },
  };
  for (let at = 0; at < bytes.length; at += step) {
    // Each chunk is a buffer of its own that is wiped afterwards, as a reused read buffer would be.
    const chunk = Buffer.from(bytes.subarray(at, at + step));
    reader.read(chunk, 0, chunk.length, sink);
    chunk.fill(0);
  }
  return seen;
}

test("frames are the same in whatever chunks they arrive", () => {
  const bytes = sample();
  const whole = readIn(bytes, bytes.length);
  assert.equal(whole.length, 9);
  for (const step of [1, 2, 8, 9, 10, 100, 16_392, 16_393, 16_394, 30_000])
    assert.deepEqual(readIn(bytes, step), whole);
});

test("a frame over the limit is refused, whether its head comes whole or in parts", () => {
  const head = Buffer.from([0, 64, 1, 0, 0, 0, 0, 0, 1]);
  for (const step of [1, 9]) {
    assert.throws(
      () => readIn(head, step),
      (error) => error instanceof ConnectionError && error.code === 6,
    );
  }
});

test("settings are read in order and checked", () => {
  const settings = defaultSettings();
  const bytes = Buffer.from("000400000005" + "000400000007" + "000300000064" + "00ff00000001", "hex");
  applySettings(settings, bytes, 0, bytes.length);
  assert.equal(settings.initialWindowBytes, 7);
  assert.equal(settings.maxConcurrentStreams, 100);
  for (const bad of ["000500000001", "000501000000", "000200000002", "000480000000", "0001"]) {
    const wrong = Buffer.from(bad, "hex");
    assert.throws(() => applySettings(settings, wrong, 0, wrong.length), ConnectionError);
  }
});

test("a receive window is credited in steps of half its size and knows when it is overrun", () => {
  const window = new ReceiveWindow(100);
  assert.ok(window.receive(100));
  assert.equal(window.credit(49), 0);
  assert.equal(window.credit(1), 50);
  assert.ok(window.receive(50));
  assert.ok(!window.receive(1));
  assert.equal(growWindow(0x7ffffffe, 1), 0x7fffffff);
  assert.equal(growWindow(0x7fffffff, 1), undefined);
});
