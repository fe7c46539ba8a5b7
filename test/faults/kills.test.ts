import assert from "node:assert/strict";
import { test } from "node:test";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect, type CallOptions, type Channel } from "#rpc";
import { digestOf, patternBytes } from "../differential/blobs.ts";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { scaled } from "../harness/deadline.ts";
import { listPlugins } from "../harness/plugin-status.ts";
import { signalUnlessEnded } from "../harness/process-end.ts";

const clients = 8;
/** Keeps a blob that no image names any more. */
const root = "containerd.io/gc.root";
/** Each of its own bytes, in pieces of 64 KiB. */
const uploadsOfEach = scaled(15);
const pieceBytes = 65_536;
/** Writes that are acknowledged between two kills. */
const writesBetweenKills = 12;
const stormMs = 240_000;
/** A storm is no reason here to give a package up. */
const config = "packages: { content: { restart: { intensity: 0 } }, metadata: { restart: { intensity: 0 } } }\n";

/** What clients were told is done. */
class Acknowledged {
  readonly blobs = new Map<string, { readonly namespace: string; readonly bytes: Buffer; labels: string[] }>();
  readonly images = new Map<string, { readonly namespace: string; digest: string }>();
  /** Acknowledged writes of any kind. */
  writes = 0;
  readonly #waiting: { readonly count: number; readonly wake: () => void }[] = [];

  note(): void {
    this.writes++;
    for (const { count, wake } of this.#waiting) if (this.writes >= count) wake();
  }

  /** Resolves when there were that many writes, or at once with `signal`. */
  async reach(count: number, signal: AbortSignal): Promise<void> {
    if (this.writes >= count || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ count, wake: resolve });
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
  }
}

test("no kill of content or metadata in uploads, commits and updates loses what was acknowledged", {
  timeout: stormMs,
}, async () => {
  await using daemon = await startBulkhead({ config });
  const before = await listPlugins(daemon);
  const done = new Acknowledged();
  const over = new AbortController();
  const killing = killAll(daemon, done, over.signal);
  try {
    await Promise.all(Array.from({ length: clients }, (_, index) => work(daemon, index, done)));
  } finally {
    over.abort();
  }
  const kills = await killing;
  assert.ok(kills.content > 0 && kills.metadata > 0, JSON.stringify(kills));
  await check(daemon, done);
  const pidOf = (plugins: typeof before, name: string) => plugins.find((plugin) => plugin.package === name)?.pid;
  const after = await listPlugins(daemon);
  for (const name of ["control", "events"]) assert.equal(pidOf(after, name), pidOf(before, name), name);
});

/** Kills one and the other in turn, each in the midst of writes; gives how often. */
async function killAll(daemon: BulkheadDaemon, done: Acknowledged, over: AbortSignal) {
  const kills = { content: 0, metadata: 0 };
  for (let turn = 1; ; turn++) {
    await done.reach(turn * writesBetweenKills, over);
    if (over.aborted) return kills;
    const victim = turn % 2 === 0 ? "content" : "metadata";
    const found = (await listPlugins(daemon)).find(({ package: name, pid }) => name === victim && pid > 0n);
    if (found === undefined || !signalUnlessEnded(Number(found.pid), "SIGKILL")) continue;
    kills[victim]++;
  }
}

/** One client: uploads a blob, labels it, points an image at it; what fails is asked again. */
async function work(daemon: BulkheadDaemon, index: number, done: Acknowledged): Promise<void> {
  using channel = connect(daemon.address);
  const namespace = `kills-${index}`;
  const scope = { metadata: { "containerd-namespace": namespace } };
  for (let turn = 0; turn < uploadsOfEach; turn++) {
    const bytes = patternBytes(pieceBytes * 3 + turn, `${namespace}.${turn}`);
    const digest = digestOf(bytes);
    await repeat(() => upload(channel, `ref-${turn}`, bytes, scope));
    const blob = { namespace, bytes, labels: [root] };
    done.blobs.set(digest, blob);
    done.note();
    const content = clientOf(Content, channel);
    const info = { digest, labels: { second: "1" } };
    await repeat(() => content.update({ info, updateMask: { paths: ["labels.second"] } }, scope));
    blob.labels.push("second");
    done.note();
    await repeat(() => putImage(channel, { name: "latest", target: { mediaType: "a/b", digest, size: 1n } }, scope));
    done.images.set(namespace, { namespace, digest });
    done.note();
  }
}

async function repeat(write: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await write();
      return;
    } catch (error) {
      // In flight when its package died: nobody but the client may ask again.
      if (!isHostError(error, "unavailable") || performance.now() > stormMs) throw error;
    }
  }
}

/** Goes on where the ingest stands. */
async function upload(channel: Channel, ref: string, bytes: Buffer, scope: CallOptions): Promise<void> {
  const expected = digestOf(bytes);
  let answer = Promise.withResolvers<bigint>();
  const requests = (async function* () {
    yield { ref, total: BigInt(bytes.length), expected };
    let offset = Number(await answer.promise);
    // Whatever was there before is the beginning of these bytes.
    for (; offset < bytes.length; offset += pieceBytes) {
      answer = Promise.withResolvers();
      yield { action: WriteAction.WRITE, offset: BigInt(offset), data: bytes.subarray(offset, offset + pieceBytes) };
      await answer.promise;
    }
    yield { action: WriteAction.COMMIT, offset: BigInt(bytes.length), expected, labels: { [root]: "1" } };
  })();
  try {
    for await (const { offset } of clientOf(Content, channel).write(requests, scope)) answer.resolve(offset);
  } catch (error) {
    // An earlier try got there, its answer did not.
    if (!isHostError(error, "already-exists")) throw error;
  }
}

async function putImage(
  channel: Channel,
  image: { name: string; target: { mediaType: string; digest: string; size: bigint } },
  scope: CallOptions,
): Promise<void> {
  const images = clientOf(Images, channel);
  try {
    await images.update({ image, updateMask: { paths: ["target"] } }, scope);
  } catch (error) {
    if (!isHostError(error, "not-found")) throw error;
    await images.create({ image }, scope);
  }
}

/** What was acknowledged is there, whole; nothing else is. */
async function check(daemon: BulkheadDaemon, done: Acknowledged): Promise<void> {
  using channel = connect(daemon.address);
  const content = clientOf(Content, channel);
  for (const [digest, { namespace, bytes, labels }] of done.blobs) {
    const scope = { metadata: { "containerd-namespace": namespace } };
    const { info } = await content.info({ digest }, scope);
    assert.deepEqual(Object.keys(info?.labels ?? {}).sort(), labels);
    const parts = await Array.fromAsync(content.read({ digest }, scope), ({ data }) => data);
    assert.ok(Buffer.concat(parts).equals(bytes), `the bytes of ${digest}`);
  }
  for (const { namespace, digest } of done.images.values()) {
    const scope = { metadata: { "containerd-namespace": namespace } };
    const { image } = await clientOf(Images, channel).get({ name: "latest" }, scope);
    assert.equal(image?.target?.digest, digest);
    const listed = (await Array.fromAsync(content.list({}, scope))).flatMap(({ info }) => info);
    assert.deepEqual(
      listed.map((blob) => blob.digest).filter((each) => !done.blobs.has(each)),
      [],
    );
    assert.deepEqual((await content.listStatuses({ filters: [] }, scope)).statuses, []);
  }
}
