import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { clientOf } from "#rpc";
import { Relay } from "#proto/gen/bulkhead/events/v1/events_pb.ts";
import { EnvelopeSchema } from "#proto/gen/containerd/types/types_pb.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import { Exchange } from "../../../plugins/events/exchange.ts";
import { relayService } from "../../../plugins/events/relay-service.ts";
import { Repeats } from "../../../plugins/events/repeats.ts";
import { within } from "../../harness/deadline.ts";
import { serveService } from "../serve-service.ts";

const event = { typeUrl: "no.Such", value: new Uint8Array([1]) };

function envelope(fields: { readonly namespace: string; readonly topic: string }): Uint8Array {
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, { timestamp: timestampNow(), event, ...fields }));
}

test("many envelopes in one call arrive in order and unchanged, repeats once, and the refused are named", async () => {
  const exchange = new Exchange();
  await using served = await serveService(relayService(exchange, new Repeats()));
  const relay = clientOf(Relay, served.channel);
  const stop = new AbortController();
  const events = exchange.subscribe([], stop.signal);
  const good = ["/one", "/two"].map((topic) => envelope({ namespace: "a", topic }));
  const last = envelope({ namespace: "a", topic: "/last" });
  const bad = [envelope({ namespace: "a", topic: "no slash" }), envelope({ namespace: "", topic: "/a" })];
  const { refused } = await relay.forwardAll({
    envelopes: [good[0], bad[0], good[1], good[0], bad[1], Buffer.from("\x08garbage"), last].map(
      (bytes) => bytes ?? new Uint8Array(),
    ),
  });
  assert.deepEqual(
    refused.map(({ index }) => index),
    [1, 4, 5],
  );
  assert.match(refused[0]?.reason ?? "", /must start with '\/'/);
  assert.match(refused[1]?.reason ?? "", /invalid namespace/);
  assert.match(refused[2]?.reason ?? "", /not a containerd\.types\.Envelope/);
  const seen: Buffer[] = [];
  for (let count = 0; count < 3; count++) {
    const { value } = await within("an event", events.next());
    seen.push(value as Buffer);
  }
  assert.deepEqual(
    seen.map((bytes) => bytes.toString("hex")),
    [...good, last].map((bytes) => Buffer.from(bytes).toString("hex")),
  );
  stop.abort();
});
