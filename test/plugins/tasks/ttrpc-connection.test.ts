import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { RequestSchema, ResponseSchema, type Request } from "#proto/gen/ttrpc/ttrpc_pb.ts";
import { encodeTtrpcFrame, TtrpcFrameReader, ttrpcFrameTypes, ttrpcPayloadLimitBytes } from "#proto/ttrpc/frames.ts";
import { ConnectionClosed, TtrpcConnection } from "../../../plugins/tasks/ttrpc/connection.ts";
import { within } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

interface AskedCall {
  readonly streamId: number;
  readonly request: Request;
}

/** A peer that answers as the test says. Owns: its socket and connections. */
class Peer implements AsyncDisposable {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  readonly #asked: AskedCall[] = [];
  #heard = Promise.withResolvers<void>();

  private constructor(path: string, server: Server) {
    this.address = `unix://${path}`;
    this.#server = server;
    server.on("connection", (socket) => {
      this.#sockets.push(socket);
      socket.on("error", () => {});
      const reader = new TtrpcFrameReader();
      socket.on("data", (chunk) => {
        for (const { streamId, payload } of reader.push(chunk)) {
          this.#asked.push({ streamId, request: fromBinary(RequestSchema, payload ?? new Uint8Array()) });
        }
        this.#heard.resolve();
      });
    });
  }

  static async listen(path: string): Promise<Peer> {
    const server = createServer();
    server.listen(path);
    await once(server, "listening");
    return new Peer(path, server);
  }

  /** The first `count` calls. */
  async asked(count: number): Promise<readonly AskedCall[]> {
    while (this.#asked.length < count) {
      await within(`${count} calls`, this.#heard.promise);
      this.#heard = Promise.withResolvers();
    }
    return this.#asked;
  }

  send(bytes: Uint8Array): void {
    this.#sockets[0]?.write(bytes);
  }

  answer(streamId: number, response: MessageInitShape<typeof ResponseSchema>): void {
    const payload = toBinary(ResponseSchema, create(ResponseSchema, response));
    this.send(encodeTtrpcFrame({ streamId, type: ttrpcFrameTypes.response, payload }));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function connected() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await makeTempFolder("tc"));
  const peer = stack.use(await Peer.listen(folder.join("s")));
  const connection = stack.use(await TtrpcConnection.connect({ address: peer.address, timeoutMs: 5000 }));
  const owned = stack.move();
  return { peer, connection, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const bytes = (text: string) => Buffer.from(text);

test("calls are told apart by odd rising ids and answered in any order", async () => {
  await using both = await connected();
  const { peer, connection } = both;
  const deadlineMs = Date.now() + 60_000;
  const metadata = { "containerd-namespace-ttrpc": "ns" };
  const calls = ["a", "b", "c"].map((text) => connection.unary("/x.Y/Do", bytes(text), { deadlineMs, metadata }));
  const asked = await peer.asked(3);
  assert.deepEqual(
    asked.map(({ streamId, request }) => [
      streamId,
      request.service,
      request.method,
      String(Buffer.from(request.payload)),
    ]),
    [
      [1, "x.Y", "Do", "a"],
      [3, "x.Y", "Do", "b"],
      [5, "x.Y", "Do", "c"],
    ],
  );
  assert.deepEqual(
    asked[0]?.request.metadata.map(({ key, value }) => [key, value]),
    [["containerd-namespace-ttrpc", "ns"]],
  );
  const timeoutMs = Number(asked[0]?.request.timeoutNano) / 1e6;
  assert.ok(timeoutMs > 1000 && timeoutMs <= 60_000, `${timeoutMs} ms`);
  for (const { streamId, request } of asked.toReversed()) peer.answer(streamId, { payload: request.payload });
  assert.deepEqual((await Promise.all(calls)).map(String), ["a", "b", "c"]);
  assert.equal(connection.openCalls, 0);
});

test("an answer in many pieces, and many in one, are taken apart", async () => {
  await using both = await connected();
  const { peer, connection } = both;
  const first = connection.unary("/x.Y/Do", bytes(""));
  const others = ["b", "c"].map((text) => connection.unary("/x.Y/Do", bytes(text)));
  await peer.asked(3);
  const large = Buffer.alloc(300_000, 7);
  const frameOf = (streamId: number, payload: Uint8Array) =>
    encodeTtrpcFrame({ streamId, type: 2, payload: toBinary(ResponseSchema, create(ResponseSchema, { payload })) });
  const whole = Buffer.concat([frameOf(1, large), frameOf(3, bytes("b")), frameOf(5, bytes("c"))]);
  for (let at = 0; at < whole.length; at += 70_001) peer.send(whole.subarray(at, at + 70_001));
  assert.ok(large.equals(await first));
  assert.deepEqual((await Promise.all(others)).map(String), ["b", "c"]);
});

test("a status is the call's failure, and success with an empty message an empty frame", async () => {
  await using both = await connected();
  const { peer, connection } = both;
  const failing = connection.unary("/x.Y/Do", bytes(""));
  const empty = connection.unary("/x.Y/Do", bytes(""));
  await peer.asked(2);
  peer.answer(1, { status: { code: 5, message: "no such thing: not found" } });
  peer.send(encodeTtrpcFrame({ streamId: 3, type: 2, payload: new Uint8Array() }));
  await assert.rejects(failing, { kind: "not-found", message: "no such thing: not found" });
  assert.equal((await empty).length, 0);
});

test("who gives up is free at once, and the late answer is nobody's", async () => {
  await using both = await connected();
  const { peer, connection } = both;
  const stop = new AbortController();
  const given = connection.unary("/x.Y/Do", bytes(""), { signal: stop.signal });
  const late = connection.unary("/x.Y/Do", bytes(""), { deadlineMs: Date.now() + 20 });
  await peer.asked(2);
  stop.abort(new Error("gone"));
  await assert.rejects(given, /gone/);
  await assert.rejects(late, { kind: "deadline-exceeded" });
  await assert.rejects(connection.unary("/x.Y/Do", bytes(""), { signal: stop.signal }), /gone/);
  assert.equal(connection.openCalls, 0);
  for (const streamId of [1, 3]) peer.answer(streamId, {});
  const next = connection.unary("/x.Y/Do", bytes(""));
  await peer.asked(3);
  peer.answer(5, { payload: bytes("still here") });
  assert.equal(String(await next), "still here");
});

test("frames that are too large, of unknown streams or of unknown types hurt only whom they are for", async () => {
  await using both = await connected();
  const { peer, connection } = both;
  const unlucky = connection.unary("/x.Y/Do", bytes(""));
  const lucky = connection.unary("/x.Y/Do", bytes(""));
  await peer.asked(2);
  const header = encodeTtrpcFrame({ streamId: 1, type: 2, payload: new Uint8Array() });
  header.writeUInt32BE(ttrpcPayloadLimitBytes + 1, 0);
  peer.send(header);
  peer.send(Buffer.alloc(ttrpcPayloadLimitBytes + 1));
  peer.send(encodeTtrpcFrame({ streamId: 99, type: 2, payload: bytes("x") }));
  peer.send(encodeTtrpcFrame({ streamId: 3, type: 9, payload: bytes("x") }));
  peer.answer(3, { payload: bytes("fine") });
  await assert.rejects(unlucky, { kind: "resource-exhausted" });
  assert.equal(String(await lucky), "fine");
  const tooLarge = connection.unary("/x.Y/Do", Buffer.alloc(ttrpcPayloadLimitBytes));
  await assert.rejects(tooLarge, { kind: "resource-exhausted" });
});

test("what waits fails when the connection ends, even in the middle of a frame, and later calls do at once", async () => {
  await using both = await connected();
  const { peer, connection } = both;
  const calls = [1, 2].map(() => connection.unary("/x.Y/Do", bytes("")));
  await peer.asked(2);
  peer.send(encodeTtrpcFrame({ streamId: 1, type: 2, payload: Buffer.alloc(100) }).subarray(0, 60));
  peer.close();
  for (const call of calls) await assert.rejects(call, (error) => error instanceof ConnectionClosed);
  await connection.closed;
  assert.equal(connection.isClosed, true);
  await assert.rejects(connection.unary("/x.Y/Do", bytes("")), (error) => error instanceof ConnectionClosed);
});

test("a socket that nobody listens on is refused in Go's words", async () => {
  await using folder = await makeTempFolder("tc");
  const address = `unix://${folder.join("nobody")}`;
  await assert.rejects(TtrpcConnection.connect({ address, timeoutMs: 1000 }), {
    kind: "unknown",
    message: `dial unix ${address}: connect: no such file or directory`,
  });
});
