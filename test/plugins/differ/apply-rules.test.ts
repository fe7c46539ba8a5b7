import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { isHostError } from "#proto/wire/errors.ts";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { skipWithout } from "../../harness/peers.ts";
import { startStock, type Daemon } from "../../harness/stock-daemon.ts";
import { bindOf, LayerClient, overlayOf, type MountInit } from "./layer-client.ts";
import { ruleCases, type RuleCase } from "./rule-cases.ts";
import { treeOf, type Tree } from "./tree.ts";

interface Outcome {
  /** Class of the failure, or digest and size. */
  readonly answer: string;
  readonly tree: Tree;
}

const skip = skipWithout({ peers: ["containerd"], root: true });

describe("a layer is unpacked as the stock daemon does", { skip }, () => {
  let daemons: readonly [Daemon, Daemon];
  const stack = new AsyncDisposableStack();
  before(async () => {
    daemons = [stack.use(await startStock()), stack.use(await startBulkhead())];
  });
  after(() => stack.disposeAsync());

  for (const [index, each] of ruleCases.entries()) {
    for (const ground of ["bind", "overlay"] as const) {
      test(`${each.title}, on ${ground}`, async () => {
        const [stock, ours] = await Promise.all(
          daemons.map((daemon) => applyOn(daemon, each, ground, `${index}-${ground}`)),
        );
        assert.ok(stock !== undefined && ours !== undefined);
        if (each.differs === undefined || isSame(stock, ours)) return assert.deepEqual(ours, stock);
        assert.equal(ours.answer.startsWith("sha256:") ? "ok" : "fails", each.differs.ours, each.differs.reason);
      });
    }
  }
});

function isSame(one: Outcome, other: Outcome): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** On plain folders the base lies in the same tree; on an overlay below it. */
async function applyOn(daemon: Daemon, each: RuleCase, ground: "bind" | "overlay", name: string): Promise<Outcome> {
  using client = new LayerClient(daemon.address);
  const place = (part: string): string => daemon.folder.join("trees", name, part);
  for (const part of ["lower", "upper", "work"]) await mkdir(place(part), { recursive: true });
  const sinceMs = Date.now() - 1000;
  const root = place("upper");
  const lower = ground === "bind" ? root : place("lower");
  if (each.base !== undefined) await client.apply(await client.store(each.base), bindOf(lower));
  const mounts = ground === "bind" ? bindOf(root) : overlayOf(root, place("work"), [lower]);
  const answer = await answerOf(client, each.layer, mounts);
  return { answer, tree: treeOf(root, sinceMs) };
}

async function answerOf(client: LayerClient, layer: Buffer, mounts: MountInit[]): Promise<string> {
  if (layer.length === 0) return "sha256: of nothing: a store has no such blob";
  try {
    const applied = await client.apply(await client.store(layer), mounts);
    return `${applied?.digest} ${applied?.size} ${applied?.mediaType}`;
  } catch (error) {
    assert.ok(isHostError(error), String(error));
    if (process.env["SHOW_ERRORS"] !== undefined) console.log(error.message);
    return error.kind;
  }
}
