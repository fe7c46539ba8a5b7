import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { clientOf, connect, type Channel } from "#rpc";
import { mountBtrfs, skipWithoutBtrfs } from "../harness/btrfs-disk.ts";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { ctr } from "../harness/ctr.ts";
import { packImage } from "../harness/oci-archive.ts";
import { skipWithout } from "../harness/peers.ts";
import { startStock, type Daemon } from "../harness/stock-daemon.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";
import { readTree, type EntryFacts } from "../harness/tree-facts.ts";
import { makeOddTree, setAllTimes } from "../plugins/shared/odd-tree.ts";
import { writableFolder } from "../plugins/shared/snapshotter.ts";
import { plain, type Outcome } from "./outcome.ts";

/**
 * A stock daemon with our packages for proxy snapshotters, beside its own: the same calls on its main socket, the same
 * answers, the same folders on the disk.
 */

const skip = skipWithout({ peers: ["containerd"], root: true });
const pairs = ["overlayfs", "native", "btrfs"] as const;
type Tree = Readonly<Record<string, EntryFacts>>;
type Pair = (typeof pairs)[number];
const skipOf = (name: Pair) => skip || (name === "btrfs" && skipWithoutBtrfs());
const pluginOf = (name: Pair) => `io.containerd.snapshotter.v1.${name}`;

const owned = new AsyncDisposableStack();
let ours: BulkheadDaemon;
let stock: Daemon;
let channel: Channel;
/** The folder of a btrfs, where there can be one. */
let btrfsFolder: string | undefined;

before(async () => {
  if (skip !== false) return;
  if (skipOf("btrfs") === false) btrfsFolder = owned.use(await mountBtrfs()).path;
  const placed = btrfsFolder === undefined ? [] : [pluginOf("btrfs")];
  const ourPlaces = placed.map((plugin) => `plugins: { ${plugin}: { root_path: ${btrfsFolder}/ours/${plugin} } }\n`);
  ours = owned.use(await startBulkhead({ config: ourPlaces.join("") }));
  const config = [
    // Nothing refers to the snapshots: a collection would take them away.
    '[plugins."io.containerd.gc.v1.scheduler"]\nstartup_delay = "24h"',
    ...placed.map((plugin) => `[plugins."${plugin}"]\nroot_path = "${btrfsFolder}/${plugin}"`),
    ...pairs.map(
      (name) => `[proxy_plugins.our-${name}]\ntype = "snapshot"\naddress = "${ours.state}/s/${name}/peer.sock"`,
    ),
  ];
  stock = owned.use(await startStock({ config: config.join("\n") }));
  channel = owned.use(connect(stock.address));
});
after(() => owned.disposeAsync());

type Method = keyof typeof Snapshots.method;
type Call = { [M in Method]: readonly [M, MessageInitShape<(typeof Snapshots.method)[M]["input"]>] }[Method];

/** Bad ones among good ones; each works on what those before it left. */
const calls: readonly Call[] = [
  ["list", {}],
  ["stat", { key: "x" }],
  ["prepare", { key: "a", parent: "nope" }],
  ["prepare", { key: "a", labels: { "containerd.io/snapshot/x": "1", one: "1" } }],
  ["prepare", { key: "a" }],
  ["view", { key: "a" }],
  ["prepare", { key: "z", parent: "a" }],
  ["mounts", { key: "a" }],
  ["usage", { key: "a" }],
  ["stat", { key: "a" }],
  ["view", { key: "v0" }],
  ["usage", { key: "v0" }],
  ["commit", { key: "v0", name: "c0" }],
  ["commit", { key: "a", name: "v0" }],
  ["commit", { key: "gone", name: "c" }],
  ["commit", { key: "a", name: "c1", labels: { "containerd.io/snapshot/y": "2", two: "2" } }],
  ["stat", { key: "c1" }],
  ["usage", { key: "c1" }],
  ["mounts", { key: "c1" }],
  ["prepare", { key: "b", parent: "c1" }],
  ["view", { key: "v1", parent: "c1" }],
  ["remove", { key: "c1" }],
  ["commit", { key: "b", name: "c2" }],
  ["prepare", { key: "e", parent: "c2" }],
  ["view", { key: "v2", parent: "c2" }],
  ["mounts", { key: "v2" }],
  ["update", { info: { name: "e", labels: { "containerd.io/snapshot/q": "1" } } }],
  ["update", { info: { name: "e", labels: { q: "2" } }, updateMask: { paths: ["labels.q"] } }],
  ["update", { info: { name: "e" }, updateMask: { paths: ["parent"] } }],
  ["update", { info: { name: "" } }],
  ["list", { filters: ["kind==view"] }],
  ["list", { filters: ["name==c2", "parent==c1"] }],
  ["list", { filters: ["=="] }],
  ["list", {}],
  ["cleanup", {}],
  ["remove", { key: "e" }],
  ["remove", { key: "e" }],
  ["remove", { key: "" }],
  ["usage", { key: "e" }],
  ["list", {}],
];

for (const name of pairs) {
  const options = { skip: skipOf(name) };
  test(`${name}: calls are answered as the stock daemon's own snapshotter answers`, options, async () => {
    for (const call of calls) {
      const [own, proxied] = await Promise.all([make(name, name, call), make(`our-${name}`, name, call)]);
      assert.deepEqual(proxied, own, `${call[0]} ${JSON.stringify(call[1])}\n(left: ours, right: stock)`);
    }
  });

  test(`${name}: what is written into layers is found in the same folders`, options, async () => {
    const trees = await Promise.all([fillLayers(name, name), fillLayers(`our-${name}`, name)]);
    assert.deepEqual(trees[1], trees[0]);
  });

  test(`${name}: the stock client works with ours behind the stock daemon`, options, async () => {
    const run = async (...args: readonly string[]) => {
      const snapshotter = ["--snapshotter", `our-${name}`];
      const { code, stdout, stderr } = await ctr(stock.address, ["snapshots", ...snapshotter, ...args]);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    await run("prepare", "one");
    await run("commit", "base", "one");
    const mounted = { overlayfs: /lowerdir=/, native: /rbind,rw/, btrfs: /-t btrfs .* subvolid=/ };
    assert.match(await run("prepare", "--target", "/mnt", "two", "base"), mounted[name]);
    await run("view", "three", "base");
    assert.match(await run("ls"), /^base +Committed +\n?.*^three +base +View/ms);
    assert.match(await run("usage", "base"), /base +[\d.]+ \w+ +1/);
    await run("label", "two", "a=b");
    assert.match(await run("info", "two"), /"a": "b"/);
    assert.match(await run("mounts", "/mnt", "two"), /^mount -t /);
    await run("rm", "two", "three", "base");
    assert.doesNotMatch(await run("ls"), /base/);
  });
}

test("an image that the stock daemon unpacks into ours is what it is in its own", { skip }, async () => {
  await using work = await makeTempFolder("img");
  const [bottom, top] = [work.join("bottom"), work.join("top")];
  mkdirSync(bottom);
  makeOddTree(bottom);
  mkdirSync(join(top, "deep"), { recursive: true });
  for (const name of [".wh.big", "deep/.wh.same", "added"]) writeFileSync(join(top, name), "");
  setAllTimes(top);
  const reference = "example.com/odd:1";
  const archive = await packImage(work.path, reference, [bottom, top]);
  const run = async (...args: readonly string[]) => {
    const { code, stderr } = await ctr(stock.address, ["image", ...args], { namespace: "images" });
    assert.equal(code, 0, stderr);
  };
  const trees = new Map<string, Tree>();
  for (const name of pairs.filter((each) => skipOf(each) === false).flatMap((each) => [each, `our-${each}`])) {
    await run("import", "--snapshotter", name, archive);
    const target = work.join(`mount-${name}`);
    mkdirSync(target);
    await run("mount", "--snapshotter", name, reference, target);
    trees.set(name, readTree(target, { ignoreFolderTimes: true }));
    await run("unmount", "--rm", "--snapshotter", name, target);
  }
  const names = Object.keys(trees.get("overlayfs") ?? {});
  assert.ok(["added", "plain"].every((name) => names.includes(name)));
  assert.ok(!["big", "deep/same"].some((name) => names.includes(name)));
  for (const [name, tree] of trees) {
    const own = trees.get(name.replace("our-", "")) ?? {};
    const isCopied = name.endsWith("native");
    assert.deepEqual(isCopied ? withoutOddLinks(tree) : tree, isCopied ? withoutOddLinks(own) : own, name);
  }
  // The stock daemon's collector walks through ours, removes what nothing refers to, and has them clean up.
  await run("rm", "--sync", reference);
  for (const name of pairs.filter((each) => skipOf(each) === false)) {
    const folders = name === "btrfs" ? ["active", "view", "snapshots"] : ["snapshots"];
    for (const folder of folders) assert.deepEqual(readdirSync(join(rootOf("ours", name), folder)), [], name);
  }
});

/** One call of a namespace of its own, with paths and what is made up left out. */
async function make(snapshotter: string, namespace: string, [method, request]: Call): Promise<Outcome> {
  const client = clientOf(Snapshots, channel) as unknown as Record<string, (r: unknown, o: unknown) => unknown>;
  const answers: Outcome[] = [];
  try {
    const options = { metadata: { "containerd-namespace": namespace } };
    const answer = client[method]?.({ ...request, snapshotter }, options);
    if (answer instanceof Promise) answers.push(plain(await answer));
    else for await (const message of answer as AsyncIterable<unknown>) answers.push(plain(message));
    return normalize({ answers });
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return normalize({ kind: error.kind, message: error.message, answers });
  }
}

function normalize(outcome: Outcome): Outcome {
  const text = JSON.stringify(outcome)
    .replaceAll(/\/[^":]*\/io\.containerd\.snapshotter\.v1\.[a-z]+/g, "<root>")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
    .replaceAll(/subvolid=\d+/g, "subvolid=<number>")
    .replaceAll("our-", "");
  return JSON.parse(text) as Outcome;
}

/** Two layers with odd things in them; gives what is in the folders and what they take. */
async function fillLayers(snapshotter: string, pair: Pair): Promise<unknown> {
  const client = clientOf(Snapshots, channel);
  const options = { metadata: { "containerd-namespace": `layers-${pair}` } };
  const root = rootOf(snapshotter === pair ? "stock" : "ours", pair);
  const trees: Record<string, EntryFacts>[] = [];
  const usages: unknown[] = [];
  let parent = "";
  for (const [key, fill] of [
    ["bottom", makeOddTree],
    ["top", addFile],
    ["next", () => {}],
  ] as const) {
    const { mounts } = await client.prepare({ snapshotter, key, parent }, options);
    const folder = writableFolder(root, mounts[0]);
    assert.ok(folder.startsWith(root), folder);
    fill(folder);
    trees.push(readTree(folder, { ignoreFolderTimes: true }));
    parent = `layer-${key}`;
    await client.commit({ snapshotter, key, name: parent }, options);
    usages.push(plain(await client.usage({ snapshotter, key: parent }, options)));
  }
  return pair === "native" ? { usages: usages[0], trees: trees.map(withoutOddLinks) } : { usages, trees };
}

function rootOf(side: "stock" | "ours", pair: Pair): string {
  if (pair === "btrfs") return `${btrfsFolder}${side === "ours" ? "/ours" : ""}/${pluginOf(pair)}`;
  return `${(side === "ours" ? ours : stock).root}/${pluginOf(pair)}`;
}

function addFile(folder: string): void {
  mkdirSync(join(folder, "new"));
  writeFileSync(join(folder, "new/file"), "x".repeat(5000));
  setAllTimes(join(folder, "new"));
}

/**
 * Copies of the stock daemon's native snapshotter lose what ours keep: hard links of special files, and holes, which
 * makes them bigger. Folders' times, too.
 */
function withoutOddLinks(tree: Tree): Tree {
  return Object.fromEntries(
    Object.entries(tree).map(([path, { links, ...facts }]) => [
      path,
      links === undefined || facts["content"] === undefined ? facts : { ...facts, links },
    ]),
  );
}
