import assert from "node:assert/strict";
import { it } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ReadContentResponseSchema } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { frameReadAnswer, readAnswerRoom } from "../../../plugins/content/read-answer.ts";

it("a framed chunk is the message that an encoder would write", () => {
  for (const offset of [0, 1, 127, 128, 1_048_576, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
    for (const bytes of [1, 127, 128, 20_000, 1_048_576]) {
      const buffer = Buffer.alloc(readAnswerRoom + bytes, 7);
      const framed = frameReadAnswer({ buffer, offset });
      const data = new Uint8Array(bytes).fill(7);
      const message = create(ReadContentResponseSchema, { offset: BigInt(offset), data });
      assert.deepEqual(Buffer.compare(framed, toBinary(ReadContentResponseSchema, message)), 0, `${offset} ${bytes}`);
      assert.equal(fromBinary(ReadContentResponseSchema, framed).offset, BigInt(offset));
    }
  }
});
