import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { isHostError, type HostError } from "#proto/wire/errors.ts";
import { startBulkhead, type BulkheadDaemon } from "../../harness/bulkhead-daemon.ts";
import { skipWithout } from "../../harness/peers.ts";
import { statusOf } from "../../harness/plugin-status.ts";
import { startStock, type Daemon } from "../../harness/stock-daemon.ts";
import { mountTmpfs } from "../../harness/tmpfs.ts";
import { bindOf, LayerClient, ociGzip, ociTar } from "./layer-client.ts";
import { watchPeak } from "./peak-memory.ts";
import { tempMountsOf } from "./stalled-apply.ts";
import { entryBytes, tarOf } from "./tar-builder.ts";

const docker = "application/vnd.docker.image.rootfs";
const layer = tarOf([
  { name: "folder/", type: "5", mode: 0o755 },
  { name: "folder/file", data: "hello\n".repeat(1000) },
]);
const gzipped = gzipSync(layer);
const skippable = Buffer.from("502a4d180400000061626364", "hex");

/** A blob under a media type, and what is to come of it. */
const typed: readonly (readonly [string, string, Buffer])[] = [
  ["a tar", ociTar, layer],
  ["a gzip", ociGzip, gzipped],
  ["a zstd", `${ociTar}+zstd`, zstdCompressSync(layer)],
  ["a zstd behind a frame to skip", `${ociTar}+zstd`, Buffer.concat([skippable, zstdCompressSync(layer)])],
  ["a zstd of many frames", `${ociTar}+zstd`, framed(layer)],
  ["a zstd with bytes behind it", `${ociTar}+zstd`, Buffer.concat([zstdCompressSync(layer), Buffer.from("garbage")])],
  ["a gzip that calls itself zstd", `${ociTar}+zstd`, gzipped],
  ["a tar that calls itself gzip", ociGzip, layer],
  ["a gzip that calls itself tar", ociTar, gzipped],
  ["a nondistributable gzip", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", gzipped],
  ["a docker tar", `${docker}.diff.tar`, layer],
  ["a docker gzip", `${docker}.diff.tar.gzip`, gzipped],
  ["a docker gzip that calls itself tar", `${docker}.diff.tar`, gzipped],
  ["a foreign docker gzip", `${docker}.foreign.diff.tar.gzip`, gzipped],
  ["a docker type with an extension", `${docker}.diff.tar.gzip+wrapped`, layer],
  ["an unknown type", "application/x-unknown", layer],
  ["no type", "", layer],
  ["two gzip members", ociGzip, Buffer.concat([gzipSync(layer.subarray(0, 700)), gzipSync(layer.subarray(700))])],
  ["an empty gzip", ociGzip, gzipSync("")],
  ["a gzip cut short", ociGzip, gzipped.subarray(0, gzipped.length - 12)],
  ["a gzip cut in its head", ociGzip, gzipped.subarray(0, 5)],
  ["a gzip with a wrong byte", ociGzip, flipped(gzipped, Math.floor(gzipped.length / 2))],
  ["a gzip with a wrong sum", ociGzip, flipped(gzipped, gzipped.length - 6)],
  ["a zstd cut short", `${ociTar}+zstd`, zstdCompressSync(layer).subarray(0, 60)],
];

/** A frame for each few bytes, some to skip between. */
function framed(bytes: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 100) frames.push(zstdCompressSync(bytes.subarray(at, at + 100)), skippable);
  return Buffer.concat(frames);
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
}

async function failureOf(answer: Promise<unknown>): Promise<HostError> {
  const error: unknown = await answer.then(
    () => assert.fail("it succeeded"),
    (reason: unknown) => reason,
  );
  assert.ok(isHostError(error), String(error));
  return error;
}

describe("media types and damaged blobs", { skip: skipWithout({ peers: ["containerd"], root: true }) }, () => {
  let daemons: readonly Daemon[];
  const stack = new AsyncDisposableStack();
  before(async () => {
    daemons = [stack.use(await startStock()), stack.use(await startBulkhead())];
  });
  after(() => stack.disposeAsync());

  for (const [index, [what, mediaType, blob]] of typed.entries()) {
    test(`${what} is taken or refused as stock does`, async () => {
      const outcomes = await Promise.all(
        daemons.map(async (daemon) => {
          using client = new LayerClient(daemon.address);
          const target = daemon.folder.join(`typed-${index}`);
          mkdirSync(target);
          const stored = await client.store(blob, mediaType);
          const answer = await client.apply(stored, bindOf(target)).catch((error: unknown) => error as HostError);
          assert.deepEqual(tempMountsOf(daemon.root), []);
          if (!isHostError(answer)) return [answer?.digest, answer?.size, readdirSync(target)];
          const isType = /no processor for media-type/.test(answer.message);
          return [answer.kind, isType ? answer.message : "damaged"];
        }),
      );
      assert.deepEqual(outcomes[1], outcomes[0]);
    });
  }

  test("a blob that is not there, or another namespace's, is NOT_FOUND", async () => {
    for (const daemon of daemons) {
      using client = new LayerClient(daemon.address);
      using stranger = new LayerClient(daemon.address, "stranger");
      const stored = await client.store(layer);
      const absent = { ...stored, digest: `sha256:${"0".repeat(64)}` };
      const failures = [
        await failureOf(client.apply(absent, bindOf(daemon.root))),
        await failureOf(stranger.apply(stored, bindOf(daemon.root))),
      ];
      for (const { kind, message } of failures) {
        assert.equal(kind, "not-found");
        assert.match(message, /^failed to get reader from content store: content digest sha256:\w+: not found$/);
      }
      const nameless = client.diff.apply({ diff: stored, mounts: bindOf(daemon.root) });
      assert.equal((await failureOf(nameless)).kind, "failed-precondition");
    }
  });

  test("no mounts at all are refused", async () => {
    const [, ours] = daemons;
    assert.ok(ours !== undefined);
    using client = new LayerClient(ours.address);
    const stored = await client.store(layer);
    assert.equal((await failureOf(client.apply(stored, []))).kind, "invalid-argument");
  });

  test("mounts that cannot be made fail the call, and leave nothing", async () => {
    for (const daemon of daemons) {
      using client = new LayerClient(daemon.address);
      const stored = await client.store(layer);
      for (const mounts of [
        bindOf("/nonexistent/folder"),
        [{ type: "nonsense", source: "x", options: [] }],
        [...bindOf(daemon.root), { type: "bind", source: "/nonexistent", options: ["bind"] }],
        [{ type: "overlay", source: "overlay", options: ["upperdir=/nonexistent", "lowerdir=/nonexistent"] }],
      ]) {
        const { kind } = await failureOf(client.apply(stored, mounts));
        assert.ok(kind === "unknown" || kind === "not-found", kind);
        assert.deepEqual(tempMountsOf(daemon.root), []);
      }
    }
  });
});

describe("limits", { skip: skipWithout({ root: true }) }, () => {
  let daemon: BulkheadDaemon;
  let client: LayerClient;
  const stack = new AsyncDisposableStack();
  before(async () => {
    const config = `
plugins:
  io.containerd.differ.v1.walking:
    { max_ratio: 300, max_header_bytes: 8192, max_entries: 50, max_name_bytes: 300, keep_free_bytes: 1048576 }
`;
    daemon = stack.use(await startBulkhead({ config }));
    client = stack.use(new LayerClient(daemon.address));
  });
  after(() => stack.disposeAsync());

  async function refusal(blob: Buffer | { path: string }, mediaType = ociTar, target = "limited"): Promise<HostError> {
    const path = daemon.folder.join(target);
    mkdirSync(path, { recursive: true });
    return failureOf(client.apply(await client.store(blob, mediaType), bindOf(path)));
  }

  test("a layer that unpacks to far more than it is is refused, with the key to change", async () => {
    const member = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const bomb = Buffer.concat([gzipSync(layer), ...Array.from({ length: 17 }, () => member)]);
    const { kind, message } = await refusal(bomb, ociGzip);
    assert.equal(kind, "resource-exhausted");
    assert.match(message, /more than 300 times.*max_ratio/);
  });

  test("extended headers, names and entries over their limits are refused, with the key to change", async () => {
    const cases = [
      [tarOf([{ name: "x", pax: [["comment", "c".repeat(9000)]] }]), /extended header.*max_header_bytes/],
      [tarOf([{ name: "x", type: "L", data: "n".repeat(9000) }]), /max_header_bytes/],
      [tarOf([{ name: "x", pax: [["path", "a/".repeat(200)]] }]), /name of more than 300 bytes.*max_name_bytes/],
      [tarOf([{ name: "x", type: "2", pax: [["linkpath", "t".repeat(301)]] }]), /max_name_bytes/],
      [tarOf(Array.from({ length: 51 }, (_, index) => ({ name: `f${index}` }))), /more than 50 entries.*max_entries/],
      [sparseWithHugeMap(), /sparse map.*max_header_bytes/],
    ] as const;
    for (const [blob, expected] of cases) {
      const { kind, message } = await refusal(blob);
      assert.equal(kind, "invalid-argument");
      assert.match(message, expected);
    }
  });

  test("what fails says at which entry, and what is ignored is told of a few times only", async () => {
    const { kind, message } = await refusal(tarOf([{ name: "a/file" }, { name: "a/file/x" }]));
    assert.equal(kind, "unknown");
    assert.match(message, /^unpack the layer, at "a\/file\/x": .*ENOTDIR/);
    const pax = [["SCHILY.xattr.trusted.x", "y"]] as const;
    const many = tarOf(Array.from({ length: 40 }, (_, index) => ({ name: `f${index}`, pax })));
    const path = daemon.folder.join("ignored");
    mkdirSync(path);
    await client.apply(await client.store(many), bindOf(path));
    await daemon.child.output.waitFor(/part of a layer is ignored.*and more of the kind/);
    const lines = daemon.child.output.text.split("\n").filter((line) => line.includes("part of a layer is ignored"));
    assert.equal(lines.length, 21);
  });

  test("layers that fail leave no descriptor open", async () => {
    const { pid } = await statusOf(daemon, "differ");
    const openFiles = (): number => readdirSync(`/proc/${pid}/fd`).length;
    const cut = tarOf([{ name: "a/b/c/file", data: "x".repeat(2000) }]).subarray(0, 1500);
    const failing = [cut, tarOf([{ name: "a/b/x", type: "Z" }]), tarOf([{ name: "a/file" }, { name: "a/file/x" }])];
    for (const blob of failing) await refusal(blob);
    const before = openFiles();
    const rounds = 10;
    for (let round = 0; round < rounds; round++) for (const blob of failing) await refusal(blob);
    // Connections come and go by the way; what any of them left open would have come ten times.
    assert.ok(openFiles() < before + rounds, `${before} before, ${openFiles()} after`);
  });

  test("a gibibyte of headers ends in little memory", { timeout: 120_000 }, async () => {
    const many = entryBytes({ name: "x", type: "x", data: `8000 comment=${"c".repeat(7986)}\n` });
    const member = gzipSync(Buffer.concat(Array.from({ length: 8000 }, () => many)));
    const blob = Buffer.concat([...Array.from({ length: 15 }, () => member), gzipSync(layer)]);
    const path = daemon.folder.join("headers");
    mkdirSync(path);
    const stored = await client.store(blob, ociGzip);
    const growthMiB = await watchPeak(Number((await statusOf(daemon, "differ")).pid));
    const applied = await client.apply(stored, bindOf(path), {
      deadlineMs: Date.now() + 100_000,
    });
    assert.ok((applied?.size ?? 0n) > 1_000_000_000n);
    assert.deepEqual(readdirSync(path), ["folder"]);
    const growth = await growthMiB();
    assert.ok(growth < 64, `the differ grew by ${growth} MiB`);
  });

  test("a full disk and one without inodes are RESOURCE_EXHAUSTED, and released", async () => {
    const big = tarOf([{ name: "big", data: randomBytes(8 * 1024 * 1024) }]);
    const many = tarOf(Array.from({ length: 40 }, (_, index) => ({ name: `f${index}` })));
    for (const [name, options, blob] of [
      ["small", "4m", big],
      ["few", "4m,nr_inodes=20", many],
    ] as const) {
      await using disk = await mountTmpfs(daemon.folder.join(name), options);
      const { kind, message } = await refusal(blob, ociTar, name);
      assert.equal(kind, "resource-exhausted", message);
      assert.match(message, /free.*try again/);
      const mounted = [{ type: "bind", source: disk.path, options: ["bind", "rw"] }];
      assert.equal((await failureOf(client.apply(await client.store(blob), mounted))).kind, "resource-exhausted");
      assert.deepEqual(tempMountsOf(daemon.root), []);
    }
  });
});

/** Format 1.0, with a map that would have a hundred thousand lines. */
function sparseWithHugeMap(): Buffer {
  const data = Buffer.from(`100000\n${"0\n0\n".repeat(10_000)}`);
  return tarOf([
    {
      name: "s",
      data,
      pax: [
        ["GNU.sparse.major", "1"],
        ["GNU.sparse.minor", "0"],
        ["GNU.sparse.realsize", "0"],
      ],
    },
  ]);
}
