import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeTtrpcFrame, TtrpcFrameReader, ttrpcPayloadLimitBytes } from "#proto/ttrpc/frames.ts";

const request = { streamId: 7, type: 1, flags: 2, payload: Buffer.from("hello") };

describe("a ttrpc frame", () => {
  it("is a header of ten bytes, big endian, and the payload", () => {
    assert.deepEqual([...encodeTtrpcFrame(request)], [0, 0, 0, 5, 0, 0, 0, 7, 1, 2, ...Buffer.from("hello")]);
  });

  it("is read back however the stream is cut", () => {
    const bytes = Buffer.concat([
      encodeTtrpcFrame(request),
      encodeTtrpcFrame({ streamId: 9, type: 3, payload: Buffer.alloc(0) }),
      encodeTtrpcFrame({ ...request, streamId: 11 }),
    ]);
    for (let size = 1; size <= bytes.length; size++) {
      const reader = new TtrpcFrameReader();
      const frames = [];
      for (let at = 0; at < bytes.length; at += size) frames.push(...reader.push(bytes.subarray(at, at + size)));
      assert.deepEqual(
        frames.map(({ streamId, type, payload }) => [streamId, type, payload?.toString()]),
        [
          [7, 1, "hello"],
          [9, 3, ""],
          [11, 1, "hello"],
        ],
        `cut every ${size} bytes`,
      );
    }
  });

  it("over 4 MiB is told of at once, its bytes are skipped, and the next one is read", () => {
    const reader = new TtrpcFrameReader();
    const header = Buffer.from([0, 0x40, 0, 1, 0, 0, 0, 5, 1, 0]);
    assert.deepEqual(
      [...reader.push(header)],
      [{ streamId: 5, type: 1, length: ttrpcPayloadLimitBytes + 1, payload: undefined }],
    );
    const rest = Buffer.concat([Buffer.alloc(ttrpcPayloadLimitBytes + 1), encodeTtrpcFrame(request)]);
    const frames = [];
    for (let at = 0; at < rest.length; at += 65_536) frames.push(...reader.push(rest.subarray(at, at + 65_536)));
    assert.deepEqual(frames, [request]);
  });

  it("over 4 MiB is not written", () => {
    const payload = Buffer.alloc(ttrpcPayloadLimitBytes + 1);
    assert.throws(() => encodeTtrpcFrame({ ...request, payload }), RangeError);
  });
});
