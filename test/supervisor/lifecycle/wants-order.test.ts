import assert from "node:assert/strict";
import { test } from "node:test";
import { healthyBehaviour } from "../../simulation/machine/behaviour.ts";
import { Chance } from "../../simulation/machine/chance.ts";
import { Machine } from "../../simulation/machine/machine.ts";
import { SimControl } from "../../simulation/sim-control.ts";
import { graphOf, pack, plugin } from "../graph/sample-packages.ts";

test("Init of a package waits for one that it wants, also while that one waits for another that is on its way", async () => {
  const inits: string[] = [];
  const chance = new Chance(1);
  const machine = new Machine(chance, {
    started: () => {},
    signalled: () => {},
    ended: () => {},
    initializing: ({ facts }) => inits.push(facts.instance?.package ?? ""),
  });
  const graph = graphOf([
    pack("p1", [plugin("t.slow.v1.x")]),
    pack("p2", [plugin("t.late.v1.x", { requires: ["t.slow.v1"] })]),
    pack("p3", [plugin("t.wanting.v1.x", { wants: ["t.late.v1"] })]),
  ]);
  const control = new SimControl({
    machine,
    graph,
    epoch: 1,
    configVersion: 1,
    router: () => undefined,
    behaviour: ({ manifest }) => ({ ...healthyBehaviour(chance), readyMs: manifest.name === "p1" ? 500 : 10 }),
    starting: () => {},
    changed: () => {},
    failed: (error) => assert.fail(error as Error),
    plants: {},
  });
  const running = control.run();
  while (await machine.timeline.step(2000));
  await running;
  control.life.end();
  assert.deepEqual(inits, ["p1", "p2", "p3"]);
});
