import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ListNamespacesResponseSchema,
  NamespaceSchema,
} from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { embedMessages } from "#rpc";

test("serialized messages of any size are embedded as the codec embeds them", () => {
  for (const lengths of [[], [0], [1, 126, 127], [128, 16_383], [16_384, 2_097_152]]) {
    const messages = lengths.map((length) => create(NamespaceSchema, { name: "x".repeat(Math.max(0, length - 3)) }));
    const embedded = embedMessages(
      1,
      messages.map((message) => toBinary(NamespaceSchema, message)),
    );
    const whole = toBinary(
      ListNamespacesResponseSchema,
      create(ListNamespacesResponseSchema, { namespaces: messages }),
    );
    assert.ok(embedded.bytes.equals(whole), `lengths ${lengths.join(", ")}`);
    assert.equal(fromBinary(ListNamespacesResponseSchema, embedded.bytes).namespaces.length, lengths.length);
  }
});
