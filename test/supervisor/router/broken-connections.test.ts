import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { startEchoRoute } from "./harness/echo-route.ts";
import { echoClient, unary } from "./harness/echo-service.ts";
import { errorCodes, flags, frameTypes, request, type RawPeer } from "./harness/raw-peer.ts";
import { path, service } from "./harness/raw-route.ts";

const broken: readonly (readonly [string, number, (peer: RawPeer) => void])[] = [
  ["DATA on stream 0", errorCodes.protocolError, (peer) => peer.frame(frameTypes.data, 0, 0, Buffer.alloc(1))],
  ["DATA on an idle stream", errorCodes.protocolError, (peer) => peer.frame(frameTypes.data, 0, 9, Buffer.alloc(1))],
  ["HEADERS on an even stream", errorCodes.protocolError, (peer) => peer.headers(2, request(path), true)],
  [
    "a frame over the size limit",
    errorCodes.frameSizeError,
    (peer) => peer.raw(Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 1])),
  ],
  ["a PING of seven bytes", errorCodes.frameSizeError, (peer) => peer.frame(frameTypes.ping, 0, 0, Buffer.alloc(7))],
  ["a PING on a stream", errorCodes.protocolError, (peer) => peer.frame(frameTypes.ping, 0, 1, Buffer.alloc(8))],
  [
    "SETTINGS of five bytes",
    errorCodes.frameSizeError,
    (peer) => peer.frame(frameTypes.settings, 0, 0, Buffer.alloc(5)),
  ],
  ["SETTINGS on a stream", errorCodes.protocolError, (peer) => peer.frame(frameTypes.settings, 0, 1, Buffer.alloc(0))],
  [
    "ENABLE_PUSH of 2",
    errorCodes.protocolError,
    (peer) => peer.frame(frameTypes.settings, 0, 0, Buffer.from([0, 2, 0, 0, 0, 2])),
  ],
  [
    "a window of 2^31",
    errorCodes.flowControlError,
    (peer) => peer.frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 128, 0, 0, 0])),
  ],
  [
    "WINDOW_UPDATE of 0 on the connection",
    errorCodes.protocolError,
    (peer) => peer.frame(frameTypes.windowUpdate, 0, 0, Buffer.alloc(4)),
  ],
  [
    "WINDOW_UPDATE beyond 2^31-1",
    errorCodes.flowControlError,
    (peer) => peer.frame(frameTypes.windowUpdate, 0, 0, Buffer.from([127, 255, 255, 255])),
  ],
  [
    "CONTINUATION alone",
    errorCodes.protocolError,
    (peer) => peer.frame(frameTypes.continuation, flags.endHeaders, 1, Buffer.alloc(0)),
  ],
  [
    "another frame inside a block",
    errorCodes.protocolError,
    (peer) => {
      peer.frame(frameTypes.headers, 0, 1, encodeHeaders(request(path)));
      peer.frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
    },
  ],
  [
    "PUSH_PROMISE",
    errorCodes.protocolError,
    (peer) => peer.frame(frameTypes.pushPromise, flags.endHeaders, 1, Buffer.alloc(8)),
  ],
  [
    "RST_STREAM on an idle stream",
    errorCodes.protocolError,
    (peer) => peer.frame(frameTypes.rstStream, 0, 7, Buffer.alloc(4)),
  ],
  [
    "a broken header block",
    errorCodes.compressionError,
    (peer) => peer.frame(frameTypes.headers, flags.endHeaders, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
  ],
  [
    "a header index beyond the tables",
    errorCodes.compressionError,
    (peer) => peer.frame(frameTypes.headers, flags.endHeaders, 1, Buffer.from([0xbf])),
  ],
  [
    "a table size over the announced one",
    errorCodes.compressionError,
    (peer) => peer.frame(frameTypes.headers, flags.endHeaders, 1, Buffer.from([0x3f, 0xe2, 0x1f, 0x82])),
  ],
  [
    "a block of too many CONTINUATION frames",
    errorCodes.enhanceYourCalm,
    (peer) => {
      peer.frame(frameTypes.headers, 0, 1, Buffer.alloc(0));
      for (let sent = 0; sent < 100; sent++) peer.frame(frameTypes.continuation, 0, 1, Buffer.alloc(0));
    },
  ],
  [
    "a flood of PING",
    errorCodes.enhanceYourCalm,
    (peer) => {
      for (let sent = 0; sent < 10_000; sent++) peer.frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
    },
  ],
  [
    "a flood of SETTINGS",
    errorCodes.enhanceYourCalm,
    (peer) => {
      for (let sent = 0; sent < 10_000; sent++) peer.frame(frameTypes.settings, 0, 0, Buffer.alloc(0));
    },
  ],
  [
    "a flood of empty DATA",
    errorCodes.enhanceYourCalm,
    (peer) => {
      peer.headers(1, request(path), false);
      for (let sent = 0; sent < 10_000; sent++) peer.frame(frameTypes.data, 0, 1, Buffer.alloc(0));
    },
  ],
  [
    "a flood of malformed requests",
    errorCodes.enhanceYourCalm,
    (peer) => {
      for (let id = 1; id < 40_000; id += 2) {
        peer.writer.headers(id, encodeHeaders([...request(path), ["Upper", "1"]]), true, 16_384);
      }
      peer.flush();
    },
  ],
  [
    "a flood of calls that the router must reset",
    errorCodes.enhanceYourCalm,
    (peer) => {
      for (let id = 1; id < 40_000; id += 2) {
        peer.writer.headers(id, encodeHeaders(request(path)), false, 16_384);
        peer.writer.windowUpdate(id, 0);
      }
      peer.flush();
    },
  ],
  [
    "a flood of calls begun and reset",
    errorCodes.enhanceYourCalm,
    (peer) => {
      for (let id = 1; id < 40_000; id += 2) {
        peer.writer.headers(id, encodeHeaders(request(path)), false, 16_384);
        peer.writer.rstStream(id, errorCodes.cancel);
      }
      peer.flush();
    },
  ],
];

for (const [what, code, act] of broken) {
  test(`${what} ends that connection with code ${code} and no other`, async () => {
    const { stack, router, connect } = await startEchoRoute();
    await using _ = stack;
    const other = echoClient(router.mainSocket, service);
    stack.defer(() => other.close());
    await unary(other, Buffer.from("before"));
    const peer = await connect();
    act(peer);
    assert.equal(await peer.goaway(), code);
    await peer.closed;
    assert.equal((await unary(other, Buffer.from("after"))).toString(), "after");
    const counters = await router.counters();
    assert.deepEqual([counters.openCalls, counters.connections], [0, 1]);
  });
}
