import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { orderNodes, reachableFrom } from "../../../supervisor/graph/dependency-graph.ts";

/** "a<b,c d<a": a comes after b and c, d after a. */
function edges(text: string): Map<string, Set<string>> {
  const words = text
    .split(" ")
    .filter(Boolean)
    .map((word) => word.split("<"));
  return new Map(words.map(([node = "", needed = ""]) => [node, new Set(needed.split(",").filter(Boolean))]));
}

const orders: readonly [nodes: string, after: string, waves: string, cycles: string][] = [
  ["", "", "", ""],
  ["a", "", "a", ""],
  ["b a", "", "ba", ""],
  ["a b", "a<b", "b a", ""],
  ["a b c", "a<b b<c", "c b a", ""],
  ["a b c d", "a<b,c b<d c<d", "d bc a", ""],
  ["a b", "a<gone", "ab", ""],
  ["a b", "a<b b<a", "b a", "a>b>a b>a>b"],
  ["a b c", "a<b b<c c<a", "c b a", "a>b>c>a b>c>a>b c>a>b>c"],
  ["x a b y", "x<a a<b b<a y", "y b a x", "a>b>a b>a>b"],
  ["a b c d", "a<b b<a c<d d<c", "bd ac", "a>b>a b>a>b c>d>c d>c>d"],
  ["a b c", "a<b,c b<a c<b", "b ca", "a>b>a b>a>b c>b>a>c"],
];

describe("order of nodes", () => {
  for (const [nodes, after, waves, cycles] of orders) {
    it(`puts "${nodes}" with "${after}" into the waves "${waves}"${cycles && `, cycles ${cycles}`}`, () => {
      const ordering = orderNodes(nodes.split(" ").filter(Boolean), edges(after));
      const found = [...ordering.cycles.values()].map((path) => path.join(">")).join(" ");
      assert.equal(found, cycles);
      if (cycles === "") assert.equal(ordering.waves.map((wave) => wave.join("")).join(" "), waves);
      assert.deepEqual(ordering.waves.flat().toSorted(), nodes.split(" ").filter(Boolean).toSorted());
      assert.equal(new Set(ordering.order).size, ordering.order.length);
    });
  }

  it("places what stands behind a cycle after its members", () => {
    const { order } = orderNodes(["after", "a", "b"], edges("after<a a<b b<a"));
    assert.equal(order.at(-1), "after");
  });

  it("orders a thousand nodes in a chain", () => {
    const names = Array.from({ length: 1000 }, (_, index) => `n${index}`);
    const chain = new Map(names.map((name, index) => [name, new Set(index + 1 < 1000 ? [`n${index + 1}`] : [])]));
    assert.deepEqual(orderNodes(names, chain).order, names.toReversed());
  });

  it("finds all that a node comes after", () => {
    assert.deepEqual([...reachableFrom("a", edges("a<b b<c d<a"))], ["b", "c"]);
    assert.deepEqual([...reachableFrom("a", edges("a<b b<a"))].toSorted(), ["a", "b"]);
  });
});
