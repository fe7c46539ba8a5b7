import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { isHostError } from "#proto/wire/errors.ts";
import { numbersFrom } from "../../differential/chance.ts";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { scaled } from "../../harness/deadline.ts";
import { skipWithout } from "../../harness/peers.ts";
import { startStock, type Daemon } from "../../harness/stock-daemon.ts";
import { bindOf, LayerClient } from "./layer-client.ts";
import { mutated } from "./mutation.ts";
import { ruleCases } from "./rule-cases.ts";
import { treeOf } from "./tree.ts";

/** What stock refuses or does in its own way, by the text that is stock's or ours. */
const exceptions: readonly RegExp[] = [
  /unhandled tar header type 83/, // sparse of old GNU, which ours reads
];

describe("damaged layers become what the stock daemon makes of them", {
  skip: skipWithout({ peers: ["containerd"], root: true }),
}, () => {
  let daemons: readonly Daemon[];
  const stack = new AsyncDisposableStack();
  before(async () => {
    daemons = [stack.use(await startStock()), stack.use(await startBulkhead())];
  });
  after(() => stack.disposeAsync());

  for (const seed of [1302, randomInt(2 ** 32)]) {
    test(`seed ${seed}`, async () => {
      const next = numbersFrom(seed);
      for (let round = 0; round < scaled(60); round++) {
        const picked = ruleCases[next(ruleCases.length)];
        if (picked === undefined || picked.layer.length === 0 || picked.differs !== undefined) continue;
        const layer = mutated(picked.layer, next);
        const [stock, ours] = await Promise.all(daemons.map((daemon) => outcomeOf(daemon, layer, `${seed}-${round}`)));
        if (exceptions.some((text) => text.test(`${stock?.text} ${ours?.text}`))) continue;
        const where = `round ${round} of seed ${seed} (${picked.title}): ${stock?.text} | ${ours?.text}`;
        assert.equal(ours?.answer, stock?.answer, where);
        assert.deepEqual(ours?.tree, stock?.tree, where);
      }
    });
  }
});

async function outcomeOf(daemon: Daemon, layer: Buffer, name: string) {
  using client = new LayerClient(daemon.address);
  const target = daemon.folder.join("fuzz", name);
  await mkdir(target, { recursive: true });
  const sinceMs = Date.now() - 1000;
  try {
    const applied = await client.apply(await client.store(layer), bindOf(target));
    return { answer: `${applied?.digest} ${applied?.size}`, text: "", tree: treeOf(target, sinceMs) };
  } catch (error) {
    assert.ok(isHostError(error), String(error));
    return { answer: error.kind, text: error.message, tree: treeOf(target, sinceMs) };
  }
}
