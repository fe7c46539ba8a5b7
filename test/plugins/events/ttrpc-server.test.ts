import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod } from "node:fs/promises";
import { describe, it } from "node:test";
import { unixListen } from "#linux";
import { ttrpcPayloadLimitBytes } from "#proto/ttrpc/frames.ts";
import { zeroTimestamp } from "#proto/wire/timestamp.ts";
import { Exchange } from "../../../plugins/events/exchange.ts";
import { Repeats } from "../../../plugins/events/repeats.ts";
import { shimEvents } from "../../../plugins/events/shim-events.ts";
import { TtrpcServer } from "../../../plugins/events/ttrpc-server.ts";
import { within } from "../../harness/deadline.ts";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { exchangeFrames, forward, frame, request } from "./ttrpc-client.ts";

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

async function openServer() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await makeTempFolder("tt"));
  const socket = folder.join("s");
  const exchange = new Exchange();
  const server = stack.use(new TtrpcServer(shimEvents(exchange, new Repeats()), silent));
  await server.listen({ fd: unixListen(socket, { backlog: 16, mode: 0o600 }) });
  const owned = stack.move();
  return { exchange, folder, socket, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

describe("the ttrpc server", () => {
  it("takes a shim's event and answers with an empty frame", async () => {
    await using server = await openServer();
    const stop = new AbortController();
    const stream = server.exchange.subscribe(['topic=="/tasks/exit"'], stop.signal);
    assert.deepEqual(await exchangeFrames(server.socket, [frame(1, forward())], 1), [[1, 0, ""]]);
    assert.equal((await within("the event", stream.next())).done, false);
    await stream.return();
  });

  /** Answers of containerd 1.6.20. */
  const refused: readonly (readonly [what: string, bytes: () => Buffer, code: number, message: string])[] = [
    ["an even stream id", () => frame(2, forward()), 3, "StreamID must be odd for client initiated streams"],
    ["stream id 0", () => frame(0, forward()), 3, "StreamID must be odd for client initiated streams"],
    ["an unknown service", () => frame(1, forward({}, { service: "x.Y" })), 12, "service x.Y"],
    [
      "a service named like an object's method",
      () => frame(1, forward({}, { service: "toString" })),
      12,
      "service toString",
    ],
    ["an unknown method", () => frame(1, forward({}, { method: "Nope" })), 12, "method Nope"],
    [
      "a bad topic",
      () => frame(1, forward({ topic: "x" })),
      3,
      `envelope topic "x": must start with '/': invalid argument`,
    ],
    [
      "an event without its time",
      () => frame(1, forward({ timestamp: zeroTimestamp() })),
      3,
      "timestamp must be set on forwarded event: invalid argument",
    ],
    [
      "a payload over 4 MiB",
      () => {
        const header = Buffer.from([0, 0x40, 0, 1, 0, 0, 0, 1, 1, 0]);
        return Buffer.concat([header, Buffer.alloc(ttrpcPayloadLimitBytes + 1)]);
      },
      8,
      "message length 4194305 exceed maximum message size of 4194304",
    ],
  ];
  for (const [what, bytes, code, message] of refused) {
    it(`refuses ${what} and goes on`, async () => {
      await using server = await openServer();
      const answers = await exchangeFrames(server.socket, [bytes(), frame(3, forward())], 2);
      assert.deepEqual(answers[0]?.slice(1), [code, message]);
      assert.deepEqual(answers[1], [3, 0, ""]);
    });
  }

  it("refuses requests and payloads that are no messages, and empty ones", async () => {
    await using server = await openServer();
    const garbage = Buffer.from([0xff, 0xff]);
    const bad = [
      frame(1, garbage),
      frame(3, request({ payload: garbage })),
      frame(5, request({})),
      frame(7, Buffer.alloc(0)),
    ];
    const answers = await exchangeFrames(server.socket, [...bad, frame(9, forward())], 5);
    assert.deepEqual(
      answers.map(([stream, code]) => [stream, code]),
      [
        [1, 3],
        [3, 13],
        [5, 3],
        [7, 12],
        [9, 0],
      ],
    );
  });

  it("ignores frames that are no requests", async () => {
    await using server = await openServer();
    const others = [0, 2, 3, 9].map((type) => frame(1, forward(), type));
    assert.deepEqual(await exchangeFrames(server.socket, [...others, frame(5, forward())], 1), [[5, 0, ""]]);
  });

  it("drops an event that a shim sends again over a new connection", async () => {
    await using server = await openServer();
    const bytes = forward();
    await exchangeFrames(server.socket, [frame(1, bytes)], 1);
    await exchangeFrames(server.socket, [frame(1, bytes), frame(3, forward({ topic: "/other" }))], 2);
    assert.equal(server.exchange.ring.sequence, 2n);
  });

  it("turns away another user", { skip: skipWithout({ root: true }) }, async () => {
    await using server = await openServer();
    await chmod(server.folder.path, 0o755);
    await chmod(server.socket, 0o666);
    const script = `
      const socket = require("node:net").connect(process.argv[1]);
      socket.on("connect", () => console.log("connected"));
      socket.on("error", () => {});
      socket.on("close", () => console.log("closed"));
    `;
    const child = spawn(process.execPath, ["-e", script, server.socket], { uid: 65534, gid: 65534, cwd: "/" });
    let output = "";
    child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
    await within("the stranger ends", once(child, "close"));
    assert.equal(output, "connected\nclosed\n");
  });
});
