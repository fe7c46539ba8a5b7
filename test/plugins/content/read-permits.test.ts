import assert from "node:assert/strict";
import { test } from "node:test";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { scaled, within } from "../../harness/deadline.ts";
import { statusOf } from "../../harness/plugin-status.ts";
import { untilStatus } from "../../harness/status-watch.ts";
import { digestOf, exchange, readAll, uploadOf } from "../metadata/content-client.ts";

const one = { metadata: { "containerd-namespace": "one" } };
const two = { metadata: { "containerd-namespace": "two" } };
const hello = Buffer.from("hello");
const lone = Buffer.from("lone");
const digest = digestOf(hello);
/** Nothing refers to it: unless it is kept for itself, a collection takes it. */
const upload = (ref: string) => uploadOf(ref, hello, { "containerd.io/gc.root": "1" });
/** Each gives a blob, reads it until it is taken, and must never see it after. */
const takings = scaled(50);
const shortMs = 300;

/** A daemon whose namespaces "one" and "two" have the same blob. */
async function openSharing() {
  await using stack = new AsyncDisposableStack();
  const daemon = stack.use(await startBulkhead());
  const channel = stack.use(connect(daemon.address));
  const content = clientOf(Content, channel);
  for (const namespace of [one, two]) await exchange(content, upload("r"), namespace);
  const owned = stack.move();
  return { daemon, content, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("a blob that a namespace lost is not read there again, from the moment its Delete is answered", async () => {
  await using host = await openSharing();
  const { content } = host;
  for (let turn = 0; turn < takings; turn++) {
    const reading = readUntilGone(() => readAll(content, digest, one));
    assert.deepEqual(await readAll(content, digest, one), hello);
    await content.delete({ digest }, one);
    await assert.rejects(readAll(content, digest, one), isNotFound);
    await within("a reader finds it gone", reading);
    assert.deepEqual(await readAll(content, digest, two), hello, "the other namespace keeps it");
    await exchange(content, upload(`again-${turn}`), one).catch((error: unknown) => {
      // It is there without its bytes being sent: another namespace has them.
      if (!isHostError(error, "already-exists")) throw error;
    });
  }
  await assert.rejects(readAll(content, digest, { metadata: { "containerd-namespace": "three" } }), isNotFound);
  await assert.rejects(readAll(content, digest, {}), (error) => isHostError(error, "failed-precondition"));
});

test("a blob that a collection took is not read again", async () => {
  await using host = await openSharing();
  const { content } = host;
  await exchange(content, uploadOf("kept by nobody", lone), one);
  assert.deepEqual(await readAll(content, digestOf(lone), one), lone);
  const reading = readUntilGone(() => readAll(content, digestOf(lone), one), lone);
  await content.delete({ digest }, one); // any deletion has a collection follow
  await within("a reader finds it gone", reading);
});

test("a blob that was read once is read on while metadata stands still; another one waits", async () => {
  await using host = await openSharing();
  const { content, daemon } = host;
  const pid = Number((await statusOf(daemon, "metadata")).pid);
  assert.deepEqual(await readAll(content, digest, one), hello);
  process.kill(pid, "SIGSTOP");
  try {
    for (let turn = 0; turn < 10; turn++) assert.deepEqual(await readAll(content, digest, one), hello);
    const soon = { ...two, deadlineMs: Date.now() + shortMs };
    await assert.rejects(readAll(content, digest, soon), (error) => isHostError(error, "deadline-exceeded"));
  } finally {
    process.kill(pid, "SIGCONT");
  }
  assert.deepEqual(await readAll(content, digest, two), hello);
});

test("a permit of a metadata process that has ended is asked for again", async () => {
  await using host = await openSharing();
  const { content, daemon } = host;
  assert.deepEqual(await readAll(content, digest, one), hello);
  const { pid } = await statusOf(daemon, "metadata");
  process.kill(Number(pid), "SIGKILL");
  await untilStatus(daemon, "metadata", ({ generation, state }) => generation === 2n && state === "ready");
  assert.deepEqual(await readAll(content, digest, one), hello);
  await content.delete({ digest }, one);
  await assert.rejects(readAll(content, digest, one), isNotFound);
  assert.deepEqual(await readAll(content, digest, two), hello);
});

async function readUntilGone(read: () => Promise<Buffer>, bytes = hello): Promise<void> {
  try {
    for (;;) assert.deepEqual(await read(), bytes);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return isHostError(error, "not-found");
}
