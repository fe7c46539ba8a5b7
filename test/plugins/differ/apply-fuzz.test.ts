import assert from "node:assert/strict";
import { askedSeeds } from "./asked-seeds.ts";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { isHostError } from "#proto/wire/errors.ts";
import { numbersFrom } from "../../differential/chance.ts";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { scaled } from "../../harness/deadline.ts";
import { skipWithout } from "../../harness/peers.ts";
import { startStock, type Daemon } from "../../harness/stock-daemon.ts";
import { bindOf, LayerClient, overlayOf, type MountInit } from "./layer-client.ts";
import { mutated } from "./mutation.ts";
import { randomLayer } from "./random-layer.ts";
import { ruleCases } from "./rule-cases.ts";
import { treeOf, type Tree } from "./tree.ts";

/** Layers in one stack. */
const stackHeight = 4;

/** What stock refuses or does in its own way, by the text that is stock's or ours. */
const exceptions: readonly RegExp[] = [
  /unhandled tar header type 83/, // sparse of old GNU, which ours reads
  /; raise max_\w+ of the walking differ/, // bounds that stock does not have
  /lstat \S+: not a directory/, // a folder in between where a lower layer has a file: stock cannot look below that
];

describe("stacks of layers that get into each other's way become what the stock daemon makes of them", {
  skip: skipWithout({ peers: ["containerd"], root: true }),
}, () => {
  let daemons: readonly Daemon[];
  const stack = new AsyncDisposableStack();
  before(async () => {
    daemons = [stack.use(await startStock()), stack.use(await startBulkhead())];
  });
  after(() => stack.disposeAsync());

  for (const seed of [815, ...askedSeeds]) {
    for (const ground of ["bind", "overlay"] as const) {
      test(`on ${ground}, seed ${seed}`, async () => {
        const next = numbersFrom(seed);
        for (let round = 0; round < scaled(25); round++) {
          const lowers: string[] = [];
          for (let height = 0; height < stackHeight; height++) {
            const layer = randomLayer(next);
            const name = `${ground}-${seed}-${round}`;
            const [stock, ours] = await Promise.all(
              daemons.map((daemon) =>
                ground === "bind" || height === 0
                  ? applyTo(daemon, layer, ground === "bind" ? name : `${name}-0`)
                  : applyOver(daemon, layer, `fuzz/${name}-${height}`, lowers),
              ),
            );
            const where = `layer ${height} of round ${round}, seed ${seed}: ${stock?.text} | ${ours?.text}\n${listOf(layer)}`;
            if (exceptions.some((text) => text.test(`${stock?.text} ${ours?.text}`))) break;
            assert.equal(ours?.answer, stock?.answer, where);
            if (stock?.text !== "") break; // nobody looks at what a layer that failed has left
            assert.deepEqual(ours?.tree, stock?.tree, where);
            lowers.unshift(`fuzz/${name}-${height}`);
          }
        }
      });
    }
  }
});

/** The entries of an archive, a line each. */
function listOf(archive: Buffer): string {
  const lines: string[] = [];
  for (
    let at = 0;
    archive[at] !== 0;
    at += 512 * (1 + Math.ceil(Number.parseInt(archive.toString("latin1", at + 124, at + 135), 8) / 512))
  ) {
    const text = (from: number, length: number) =>
      archive.toString("latin1", at + from, at + from + length).replace(/\0.*$/s, "");
    lines.push(`${text(156, 1)} ${text(0, 100)} ${text(157, 100)}`);
  }
  return lines.join("\n");
}

describe("damaged layers become what the stock daemon makes of them", {
  skip: skipWithout({ peers: ["containerd"], root: true }),
}, () => {
  let daemons: readonly Daemon[];
  const stack = new AsyncDisposableStack();
  before(async () => {
    daemons = [stack.use(await startStock()), stack.use(await startBulkhead())];
  });
  after(() => stack.disposeAsync());

  for (const seed of [1302, ...askedSeeds]) {
    test(`seed ${seed}`, async () => {
      const next = numbersFrom(seed);
      for (let round = 0; round < scaled(60); round++) {
        const picked = ruleCases[next(ruleCases.length)];
        if (picked === undefined || picked.layer.length === 0 || picked.differs !== undefined) continue;
        // A damaged name may put what the layer wrote below a folder without an entry, which only stock empties then.
        if (picked.layer.includes(".wh..wh..opq")) continue;
        const layer = mutated(picked.layer, next);
        const [stock, ours] = await Promise.all(daemons.map((daemon) => applyTo(daemon, layer, `${seed}-${round}`)));
        if (exceptions.some((text) => text.test(`${stock?.text} ${ours?.text}`))) continue;
        const where = `round ${round} of seed ${seed} (${picked.title}): ${stock?.text} | ${ours?.text}`;
        assert.equal(ours?.answer, stock?.answer, where);
        assert.deepEqual(ours?.tree, stock?.tree, where);
      }
    });
  }
});

/** On a folder of that name, which may have been used before. */
async function applyTo(daemon: Daemon, layer: Buffer, name: string) {
  const target = daemon.folder.join("fuzz", name);
  await mkdir(target, { recursive: true });
  return outcomeOf(daemon, layer, target, bindOf(target));
}

/** On an upper folder over the folders of some other layers, nearest first. */
async function applyOver(daemon: Daemon, layer: Buffer, name: string, lowers: readonly string[]) {
  const [upper = "", work = "", ...below] = [name, `${name}-work`, ...lowers].map((each) => daemon.folder.join(each));
  for (const path of [upper, work]) await mkdir(path);
  return outcomeOf(daemon, layer, upper, overlayOf(upper, work, below));
}

async function outcomeOf(daemon: Daemon, layer: Buffer, target: string, mounts: MountInit[]) {
  using client = new LayerClient(daemon.address);
  const sinceMs = Date.now() - 10_000;
  try {
    const applied = await client.apply(await client.store(layer), mounts);
    return { answer: `${applied?.digest} ${applied?.size}`, text: "", tree: treeOf(target, sinceMs) };
  } catch (error) {
    assert.ok(isHostError(error), String(error));
    return { answer: error.kind, text: error.message, tree: withoutUnfinished(treeOf(target, sinceMs)) };
  }
}

/** How far a layer that failed came with its last file is not of interest; finished files have the layer's times. */
function withoutUnfinished(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([, facts]) => !/^10\d+ \S+ \d+ bytes new new /.test(facts)));
}
