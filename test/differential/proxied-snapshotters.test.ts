import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { clientOf, connect, type Channel, type Client } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { ctr } from "../harness/ctr.ts";
import { skipWithout } from "../harness/peers.ts";
import { startStock, type Daemon } from "../harness/stock-daemon.ts";
import { readTree, type EntryFacts } from "../harness/tree-facts.ts";
import { makeOddTree, setAllTimes } from "../plugins/shared/odd-tree.ts";
import { plain, type Outcome } from "./outcome.ts";

/**
 * A stock daemon with our packages for proxy snapshotters, beside its own: the same calls on its main socket, the same
 * answers, the same folders on the disk.
 */

const skip = skipWithout({ peers: ["containerd"], root: true });
const pairs = ["overlayfs", "native"] as const;
type Pair = (typeof pairs)[number];

const owned = new AsyncDisposableStack();
let ours: BulkheadDaemon;
let stock: Daemon;
let channel: Channel;

before(async () => {
  if (skip !== false) return;
  ours = owned.use(await startBulkhead());
  const proxies = pairs.map(
    (name) => `[proxy_plugins.our-${name}]\ntype = "snapshot"\naddress = "${ours.state}/s/${name}/peer.sock"`,
  );
  // Nothing refers to the snapshots: a collection would take them away.
  const config = ['[plugins."io.containerd.gc.v1.scheduler"]\nstartup_delay = "24h"', ...proxies].join("\n");
  stock = owned.use(await startStock({ config }));
  channel = owned.use(connect(stock.address));
});
after(() => owned.disposeAsync());

type Method = keyof Client<typeof Snapshots> & keyof typeof Snapshots.method;
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
  test(`${name}: calls are answered as the stock daemon's own snapshotter answers`, { skip }, async () => {
    for (const call of calls) {
      const [own, proxied] = await Promise.all([make(name, name, call), make(`our-${name}`, name, call)]);
      assert.deepEqual(proxied, own, `${call[0]} ${JSON.stringify(call[1])}\n(left: ours, right: stock)`);
    }
  });

  test(`${name}: what is written into layers is found in the same folders`, { skip }, async () => {
    const trees = await Promise.all([fillLayers(name, name), fillLayers(`our-${name}`, name)]);
    assert.deepEqual(trees[1], trees[0]);
  });

  test(`${name}: the stock client works with ours behind the stock daemon`, { skip }, async () => {
    const run = async (...args: readonly string[]) => {
      const snapshotter = ["--snapshotter", `our-${name}`];
      const { code, stdout, stderr } = await ctr(stock.address, ["snapshots", ...snapshotter, ...args]);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    await run("prepare", "one");
    await run("commit", "base", "one");
    assert.match(await run("prepare", "--target", "/mnt", "two", "base"), name === "native" ? /rbind,rw/ : /lowerdir=/);
    await run("view", "three", "base");
    assert.match(await run("ls"), /^base +Committed +\n?.*^three +base +View/ms);
    assert.match(await run("usage", "base"), /base +4\.0 KiB +1/);
    await run("label", "two", "a=b");
    assert.match(await run("info", "two"), /"a": "b"/);
    assert.match(await run("mounts", "/mnt", "two"), /^mount -t /);
    await run("rm", "two", "three", "base");
    assert.doesNotMatch(await run("ls"), /base/);
  });
}

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
    .replaceAll("our-", "");
  return JSON.parse(text) as Outcome;
}

/** Two layers with odd things in them; gives the whole of `snapshots/` and what the layers take. */
async function fillLayers(snapshotter: string, pair: Pair): Promise<unknown> {
  const client = clientOf(Snapshots, channel);
  const options = { metadata: { "containerd-namespace": `layers-${pair}` } };
  const folders = (snapshotter === pair ? stock.root : ours.root) + `/io.containerd.snapshotter.v1.${pair}/snapshots`;
  const contentOf = async (key: string, parent: string): Promise<string> => {
    const { mounts } = await client.prepare({ snapshotter, key, parent }, options);
    const upper = mounts[0]?.options.find((option) => option.startsWith("upperdir="))?.slice(9);
    return upper ?? mounts[0]?.source ?? "";
  };
  const bottom = await contentOf("bottom", "");
  makeOddTree(bottom);
  await client.commit({ snapshotter, key: "bottom", name: "layer-1" }, options);
  const top = await contentOf("top", "layer-1");
  mkdirSync(join(top, "new"));
  writeFileSync(join(top, "new/file"), "x".repeat(5000));
  setAllTimes(join(top, "new"));
  await client.commit({ snapshotter, key: "top", name: "layer-2" }, options);
  const next = await contentOf("next", "layer-2");
  const usages = [];
  for (const key of ["layer-1", "layer-2", "next"])
    usages.push(plain(await client.usage({ snapshotter, key }, options)));
  assert.ok([bottom, top, next].every((folder) => folder.startsWith(folders)));
  const trees = [bottom, top, next].map((folder) => readTree(folder, { ignoreFolderTimes: true }));
  return pair === "native" ? { usages: usages[0], trees: trees.map(withoutOddLinks) } : { usages, trees };
}

/**
 * Copies of the stock daemon's native snapshotter lose what ours keep: hard links of special files, and holes, which
 * makes them bigger. Folders' times, too.
 */
function withoutOddLinks(tree: Readonly<Record<string, EntryFacts>>): Record<string, EntryFacts> {
  return Object.fromEntries(
    Object.entries(tree).map(([path, { links, ...facts }]) => [
      path,
      links === undefined || facts["content"] === undefined ? facts : { ...facts, links },
    ]),
  );
}
