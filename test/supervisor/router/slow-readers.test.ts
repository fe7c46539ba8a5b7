import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { defaultLimits } from "../../../supervisor/router/limits.ts";
import { Child } from "../../harness/child.ts";
import { cpuMsOf } from "../../harness/cpu-clock.ts";
import { scaled, within } from "../../harness/deadline.ts";
import { answeredPath, pouredPath } from "./harness/attacks.ts";
import { CallTimes, quantile } from "./harness/call-times.ts";
import { answer, errorCodes, flags, frameTypes, RawPeer, request } from "./harness/raw-peer.ts";
import { path, startRawRoute } from "./harness/raw-route.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

const mebibyte = 2 ** 20;

/** A router with a package in a process of its own that answers or pours. */
async function startPouring() {
  const stack = new AsyncDisposableStack();
  const router = stack.use(await RouterProcess.start());
  const program = new URL("harness/attacked-package.ts", import.meta.url).pathname;
  const pouring = stack.use(new Child(process.execPath, [program, router.socketPath("pouring")]));
  await pouring.output.waitFor(/serving/);
  await router.apply({
    packages: { pouring: row(router.socketPath("pouring")) },
    routes: { "test.v1.Attacked": "pouring" },
  });
  return { stack, router };
}

/** Anonymous memory of the process, bytes. */
function anonymousBytes(pid: number): number {
  const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) * 1024;
}

/** Reads `bytes` of an answer, crediting them as they come. */
async function drink(client: RawPeer, bytes: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = bytes;
  client.onFrame = (frame) => {
    if (frame.type !== frameTypes.data) return;
    left -= frame.payload.length;
    if (left <= 0) return resolve();
    client.writer.windowUpdate(0, frame.payload.length);
    client.writer.windowUpdate(frame.streamId, frame.payload.length);
    client.flush();
  };
  await within(`${bytes} bytes`, promise, 60_000);
}

test("100 clients of a package keep their p99 while another one does not read a stream of it", async (context) => {
  const { stack, router } = await startPouring();
  await using _ = stack;
  const now = (): number => cpuMsOf(router.child.pid ?? 0);
  const others = await Promise.all(
    Array.from({ length: 100 }, async () => CallTimes.connect(router.mainSocket, answeredPath)),
  );
  stack.defer(() => others.forEach((other) => other[Symbol.dispose]()));
  const measure = async (): Promise<number[]> =>
    (await Promise.all(others.map(async (other) => other.measure(scaled(10), now)))).flat();
  await measure();
  const calm: number[] = [];
  const beside: number[] = [];
  for (let round = 0; round < 3; round++) {
    calm.push(...(await measure()), ...(await measure()));
    const reader = await RawPeer.client(router.mainSocket, { initialWindowBytes: 16 * mebibyte });
    reader.writer.windowUpdate(0, 64 * mebibyte);
    reader.headers(1, request(pouredPath), true);
    await reader.next(frameTypes.data, 1);
    reader.socket.pause();
    beside.push(...(await measure()), ...(await measure()));
    reader.socket.resume();
    await drink(reader, scaled(16) * mebibyte);
    reader.close();
  }
  const [calmP99, besideP99] = [quantile(calm, 0.99), quantile(beside, 0.99)];
  context.diagnostic(`p99 ${calmP99.toFixed(2)} ms alone, ${besideP99.toFixed(2)} ms beside`);
  assert.ok(besideP99 < 2 * calmP99, `${besideP99} ms beside, ${calmP99} ms alone`);
});

test("what is held for all streams stays below its limit: those that hold most are reset with RESOURCE_EXHAUSTED", async () => {
  const { stack, router } = await startPouring();
  await using _ = stack;
  const { heldBytes, firstWindowBytes } = defaultLimits;
  // The package pours whole frames.
  const heldOfOne = firstWindowBytes - (firstWindowBytes % 16_384);
  const fitting = heldBytes / heldOfOne;
  const streams = fitting + 40;
  const before = anonymousBytes(router.child.pid ?? 0);
  const client = await RawPeer.client(router.mainSocket, { initialWindowBytes: 0 });
  stack.defer(() => client.close());
  for (let call = 0; call < streams; call++) client.headers(1 + call * 2, request(pouredPath), true);
  const reset = new Set<number>();
  while (reset.size < streams - fitting) {
    const { streamId, payload } = await client.next(frameTypes.rstStream);
    assert.equal(payload.readUInt32BE(0), errorCodes.enhanceYourCalm);
    reset.add(streamId);
  }
  const grown = anonymousBytes(router.child.pid ?? 0) - before;
  assert.ok(grown < 1.5 * heldBytes, `${grown} bytes more than before`);
  // The others have lost nothing.
  const alive = Array.from({ length: streams }, (_, call) => 1 + call * 2).find((id) => !reset.has(id)) ?? 0;
  client.writer.windowUpdate(0, heldOfOne);
  client.writer.windowUpdate(alive, heldOfOne);
  client.flush();
  for (let got = 0; got < heldOfOne; ) got += (await client.next(frameTypes.data, alive)).payload.length;
});

test("of requests that a package does not take, the one that holds most fails with RESOURCE_EXHAUSTED, too", async () => {
  const { stack, server, connect } = await startRawRoute({ heldBytes: 100_000 });
  await using _ = stack;
  const client = await connect();
  // The package takes 65535 bytes in all: the first call's.
  for (const id of [1, 3, 5, 7]) client.headers(id, request(path), false);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 7);
  for (let sent = 0; sent < 5; sent++) client.data(1, Buffer.alloc(13_107), false);
  client.data(3, Buffer.alloc(16_000), false);
  for (let sent = 0; sent < 3; sent++) client.data(5, Buffer.alloc(16_000), false);
  for (let sent = 0; sent < 3; sent++) client.data(7, Buffer.alloc(15_000), false);
  assert.equal(await client.resetCode(5), errorCodes.enhanceYourCalm);
  assert.equal(await peer.resetCode(5), errorCodes.enhanceYourCalm);
  peer.headers(1, [...answer, ["grpc-status", "0"]], true);
  assert.ok(((await client.next(frameTypes.headers, 1)).flags & flags.endStream) !== 0);
});
