import assert from "node:assert/strict";
import { chmodSync, linkSync, lutimesSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { createHash } from "node:crypto";
import { askedSeeds } from "./asked-seeds.ts";
import { execa } from "execa";
import { deviceNumber, makeNode, nodeTypes, setXattr } from "#linux";
import { WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { numbersFrom } from "../../differential/chance.ts";
import { scaled } from "../../harness/deadline.ts";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { skipWithout } from "../../harness/peers.ts";
import { startStock, type Daemon } from "../../harness/stock-daemon.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";
import { bindOf, LayerClient, ociGzip, ociTar, overlayOf, type MountInit } from "./layer-client.ts";
import { randomLayer } from "./random-layer.ts";
import { treeOf } from "./tree.ts";

const skip = skipWithout({ peers: ["containerd"], root: true });
const uncompressed = "containerd.io/uncompressed";

/** Whole seconds, so that contents count where sizes are equal. */
const longAgo = 1_500_000_000;

/** The tree that both sides begin with. */
function makeLower(root: string): void {
  const at = (...parts: string[]): string => join(root, ...parts);
  for (const folder of ["dir/deep/deeper", "gone/inner", "to-file/x", "same", "links"]) {
    mkdirSync(at(folder), { recursive: true });
  }
  for (const name of ["dir/deep/deeper/file", "gone/inner/file", "gone/a", "to-file/x/y", "same/file", "removed"]) {
    writeFileSync(at(name), `content of ${name}`);
  }
  for (const name of ["content", "size", "mode", "owner", "time", "touched", "to-dir", "capable", "cut"]) {
    writeFileSync(at(name), `the file ${name}`);
    utimesSync(at(name), longAgo, longAgo);
  }
  writeFileSync(at("links/one"), "linked");
  linkSync(at("links/one"), at("links/two"));
  linkSync(at("links/one"), at("links/zero"));
  writeFileSync(at("links/kept"), "linked and kept");
  linkSync(at("links/kept"), at("same/kept"));
  symlinkSync("target-1", at("symlink"));
  lutimesSync(at("symlink"), longAgo, longAgo);
  makeNode(at("fifo"), nodeTypes.fifo | 0o600);
}

function change(root: string): void {
  const at = (...parts: string[]): string => join(root, ...parts);
  writeFileSync(at("content"), "THE file content"); // the same size and time
  utimesSync(at("content"), longAgo, longAgo);
  writeFileSync(at("size"), "longer than it was");
  chmodSync(at("mode"), 0o4755);
  writeFileSync(at("touched"), "the file touched");
  utimesSync(at("touched"), longAgo, longAgo + 0.25);
  utimesSync(at("time"), longAgo, longAgo + 100);
  rmSync(at("gone"), { recursive: true });
  rmSync(at("removed"));
  rmSync(at("to-file"), { recursive: true });
  writeFileSync(at("to-file"), "a file now");
  rmSync(at("to-dir"));
  mkdirSync(at("to-dir/sub"), { recursive: true });
  writeFileSync(at("to-dir/sub/file"), "x");
  rmSync(at("symlink"));
  symlinkSync("target-2", at("symlink"));
  lutimesSync(at("symlink"), longAgo, longAgo);
  writeFileSync(at("links/two"), "changed through one name");
  writeFileSync(at("dir/deep/deeper/new"), "new");
  setXattr(at("capable"), "security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex"));
  setXattr(at("capable"), "user.dropped", Buffer.from("x"));
  mkdirSync(at("new/empty"), { recursive: true });
  chmodSync(at("new"), 0o2711);
  writeFileSync(at("new", "n".repeat(150)), "long name");
  mkdirSync(at("new", "p".repeat(90), "q".repeat(90)), { recursive: true });
  writeFileSync(at("new", "p".repeat(90), "q".repeat(90), "deep"), "long path");
  writeFileSync(Buffer.concat([Buffer.from(`${at("new")}/caf`), Buffer.from([0xe9])]), "no UTF-8");
  writeFileSync(at("new", "grüße"), "UTF-8");
  symlinkSync("t".repeat(140), at("new/long-link"));
  writeFileSync(at("new/old"), "older than the epoch");
  utimesSync(at("new/old"), -100, -100);
  writeFileSync(at("new/empty-file"), "");
  writeFileSync(at("new/block"), Buffer.alloc(1024, 1));
  makeNode(at("new/null"), nodeTypes.character | 0o666, deviceNumber(1, 3));
  makeNode(at("new/disk"), nodeTypes.block | 0o640, deviceNumber(259, 70_000));
  makeNode(at("new/pipe"), nodeTypes.fifo | 0o644);
}

describe("what two trees differ by is a layer, byte for byte stock's", { skip }, () => {
  let daemons: readonly [Daemon, Daemon];
  let folder: TempFolder;
  let mounts: { lower: MountInit[]; upper: MountInit[] };
  let sides: readonly [LayerClient, LayerClient];
  const stack = new AsyncDisposableStack();
  before(async () => {
    folder = stack.use(await makeTempFolder("d"));
    daemons = [stack.use(await startStock()), stack.use(await startBulkhead())];
    sides = [stack.use(new LayerClient(daemons[0].address)), stack.use(new LayerClient(daemons[1].address))];
    const [lower, upper] = [folder.join("lower"), folder.join("upper")];
    mkdirSync(lower);
    makeLower(lower);
    await cp(lower, upper, { recursive: true, preserveTimestamps: true, filter: (path) => !path.endsWith("/fifo") });
    change(upper);
    mounts = { lower: bindOf(lower), upper: bindOf(upper) };
  });
  after(() => stack.disposeAsync());

  /** Both daemons' layers, uncompressed; times of whiteouts are blanked, for they are those of the calls. */
  async function layers(request: { left: MountInit[]; right: MountInit[]; mediaType?: string }): Promise<Buffer[]> {
    const made: Buffer[] = [];
    for (const side of sides) {
      const { diff } = await side.diff.diff({ labels: { "containerd.io/gc.root": "test" }, ...request }, side.options);
      const bytes = await side.read(diff?.digest ?? "");
      assert.equal(BigInt(bytes.length), diff?.size);
      const isGzip = diff?.mediaType === ociGzip;
      made.push(isGzip ? gunzipSync(bytes) : bytes);
    }
    return made.map(withoutWhiteoutTimes);
  }

  test("of two folders", async () => {
    const [stock, ours] = await layers({ left: mounts.lower, right: mounts.upper, mediaType: ociTar });
    assert.ok(stock !== undefined && ours !== undefined && stock.length > 10_000);
    assert.deepEqual(namesOf(ours), namesOf(stock));
    assert.ok(ours.equals(stock));
  });

  test("the other way round", async () => {
    const [stock, ours] = await layers({ left: mounts.upper, right: mounts.lower, mediaType: ociTar });
    assert.deepEqual(namesOf(ours), namesOf(stock));
    assert.ok(stock !== undefined && ours?.equals(stock));
  });

  test("against nothing", async () => {
    const [stock, ours] = await layers({ left: [], right: mounts.upper, mediaType: ociTar });
    assert.ok(stock !== undefined && ours?.equals(stock));
  });

  test("of a tree and itself: two blocks of zeros", async () => {
    const [stock, ours] = await layers({ left: mounts.upper, right: mounts.upper, mediaType: ociTar });
    assert.ok(stock?.equals(Buffer.alloc(1024)) && ours?.equals(Buffer.alloc(1024)));
  });

  test("compressed, as is the default", async () => {
    const [stock, ours] = await layers({ left: mounts.lower, right: mounts.upper });
    assert.ok(stock !== undefined && ours?.equals(stock));
  });

  /** An upper folder with a change and a whiteout over `lowers`. */
  function overlayWith(name: string, lowers: readonly string[]) {
    const [upper, work] = [folder.join(name, "upper"), folder.join(name, "work")];
    mkdirSync(join(upper, "dir"), { recursive: true });
    mkdirSync(work, { recursive: true });
    writeFileSync(join(upper, "dir/over"), "x");
    makeNode(join(upper, "removed"), nodeTypes.character, 0n);
    const view = { type: "overlay", source: "overlay", options: [`lowerdir=${lowers.join(":")}`] };
    return { left: [view], right: overlayOf(upper, work, lowers), mediaType: ociTar };
  }

  test("of an overlay's upper folder", async () => {
    const empty = folder.join("empty");
    mkdirSync(empty);
    const [stock, ours] = await layers(overlayWith("over", [empty, folder.join("lower")]));
    assert.deepEqual(namesOf(stock), ["dir/", "dir/over", ".wh.removed"]);
    assert.ok(stock !== undefined && ours?.equals(stock));
  });

  test("of an overlay whose options are too long for a page, which stock refuses", async () => {
    const names = Array.from({ length: 60 }, (_, index) => folder.join("many", `${"l".repeat(90)}-${index}`));
    for (const name of names) mkdirSync(name, { recursive: true });
    const [, side] = sides;
    const { diff } = await side.diff.diff(
      { ...overlayWith("long", [...names, folder.join("lower")]), labels: { "containerd.io/gc.root": "test" } },
      side.options,
    );
    assert.deepEqual(namesOf(await side.read(diff?.digest ?? "")), ["dir/", "dir/over", ".wh.removed"]);
  });

  test("what was made can be unpacked, and gives the same tree", async () => {
    const [, side] = sides;
    const { diff } = await side.diff.diff(
      { left: mounts.lower, right: mounts.upper, labels: { "containerd.io/gc.root": "test" } },
      side.options,
    );
    const target = folder.join("again");
    mkdirSync(target);
    const all = await side.diff.diff(
      { left: [], right: mounts.lower, labels: { "containerd.io/gc.root": "test" } },
      side.options,
    );
    await side.apply(all.diff ?? {}, bindOf(target));
    await side.apply(diff ?? {}, bindOf(target));
    assert.deepEqual(
      Object.keys(treeOf(target, 0)).filter((name) => name !== "fifo"),
      Object.keys(treeOf(folder.join("upper"), 0)),
    );
  });

  test("labels, references and the label of the uncompressed bytes are stored", async () => {
    for (const side of sides) {
      const request = { left: mounts.lower, right: mounts.upper, ref: "my-ref" };
      const labels = { mine: "yes", "containerd.io/gc.root": "test" };
      const { diff } = await side.diff.diff({ ...request, labels }, side.options);
      const { info } = await side.content.info({ digest: diff?.digest ?? "" }, side.options);
      const bytes = gunzipSync(await side.read(diff?.digest ?? ""));
      const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
      assert.equal(info?.labels[uncompressed], digest);
      assert.equal(diff?.mediaType, ociGzip);
      // A reference with leftovers is written anew, and a blob that is there already is as good.
      for await (const answer of side.content.write(leftover(), side.options)) assert.ok(answer.offset >= 0n);
      const again = await side.diff.diff({ ...request, ref: "left", mediaType: ociTar, labels }, side.options);
      assert.ok((again.diff?.size ?? 0n) > 10_000n);
      const { statuses } = await side.content.listStatuses({ filters: [] }, side.options);
      assert.deepEqual(statuses, []);
    }
  });

  test("zstd is written, and other types are UNIMPLEMENTED", async () => {
    const [stock, ours] = sides;
    const request = { left: mounts.lower, right: mounts.upper, labels: { "containerd.io/gc.root": "test" } };
    const { diff } = await ours.diff.diff({ ...request, mediaType: `${ociTar}+zstd` }, ours.options);
    const plain = await ours.diff.diff({ ...request, mediaType: ociTar }, ours.options);
    const bytes = zstdDecompressSync(await ours.read(diff?.digest ?? ""));
    assert.deepEqual(namesOf(bytes), namesOf(await ours.read(plain.diff?.digest ?? "")));
    for (const side of [stock, ours]) {
      await assert.rejects(
        () => side.diff.diff({ ...request, mediaType: "application/x" }, side.options),
        (error) =>
          isHostError(error, "unimplemented") && /unsupported diff media type: application\/x/.test(error.message),
      );
    }
  });

  test("a source date bounds all times", async () => {
    const [, ours] = sides;
    const request = {
      left: mounts.lower,
      right: mounts.upper,
      mediaType: ociTar,
      labels: { "containerd.io/gc.root": "t" },
    };
    const seconds = BigInt(longAgo + 50);
    const { diff } = await ours.diff.diff({ ...request, sourceDateEpoch: { seconds, nanos: 0 } }, ours.options);
    const times = timesOf(await ours.read(diff?.digest ?? ""));
    assert.equal(Math.max(...times), longAgo + 50);
  });

  for (const seed of [4242, ...askedSeeds]) {
    test(`of random trees, seed ${seed}`, async () => {
      const next = numbersFrom(seed);
      const [, side] = sides;
      for (let round = 0; round < scaled(15); round++) {
        const [lower, upper] = [folder.join(`${seed}-${round}-lower`), folder.join(`${seed}-${round}-upper`)];
        mkdirSync(lower);
        await applyRandom(side, lower, next);
        await execa("cp", ["-a", lower, upper]);
        await applyRandom(side, upper, next);
        const [stock, ours] = await layers({ left: bindOf(lower), right: bindOf(upper), mediaType: ociTar });
        assert.deepEqual(namesOf(ours), namesOf(stock), `round ${round}`);
        assert.ok(stock !== undefined && ours?.equals(stock), `round ${round}`);
      }
    });
  }

  test("a socket is left out", async () => {
    const place = folder.join("socket");
    mkdirSync(place);
    const server = createServer().listen(join(place, "s"));
    await new Promise((resolve) => server.once("listening", resolve));
    const [stock, ours] = await layers({ left: [], right: bindOf(place), mediaType: ociTar });
    server.close();
    assert.ok(stock?.equals(Buffer.alloc(1024)) && ours?.equals(stock));
  });
});

/** Some layers on a folder; those that fail leave what they leave. */
async function applyRandom(side: LayerClient, root: string, next: (below: number) => number): Promise<void> {
  for (let count = 4; count > 0; count--) {
    await side.apply(await side.store(randomLayer(next)), bindOf(root)).catch(() => undefined);
  }
}

/** An ingest that nobody commits. */
async function* leftover() {
  yield { ref: "left" };
  yield { action: WriteAction.WRITE, data: Buffer.from("old") };
}

/** Header blocks of an archive. */
function* headersOf(archive: Buffer): Generator<Buffer> {
  for (let at = 0; at < archive.length && archive[at] !== 0; ) {
    const block = archive.subarray(at, at + 512);
    yield block;
    const size = Number.parseInt(block.toString("latin1", 124, 135), 8);
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

function namesOf(archive: Buffer | undefined): string[] {
  const headers = [...headersOf(archive ?? Buffer.alloc(0))].filter((block) => block[156] !== 0x78);
  return headers.map((block) => block.toString("latin1", 0, 100).replace(/\0.*$/s, ""));
}

function timesOf(archive: Buffer): number[] {
  return [...headersOf(archive)].map((block) => Number.parseInt(block.toString("latin1", 136, 147), 8));
}

function withoutWhiteoutTimes(archive: Buffer): Buffer {
  for (const block of headersOf(archive)) {
    if (/(^|\/)\.wh\./.test(block.toString("latin1", 0, 100))) block.fill(0x30, 136, 147).fill(0x30, 148, 156);
  }
  return archive;
}
