import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { PackageRunner } from "../../supervisor/lifecycle/package-runner.ts";
import type { LifecycleEvent, StateName } from "../../supervisor/lifecycle/states.ts";
import { ParkingLot } from "../../supervisor/router/parking.ts";
import { scaled } from "../harness/deadline.ts";
import { legalMoves } from "./legal-moves.ts";
import type { Plants } from "./machine/sim-system.ts";
import { simulateSeed, usualSteps } from "./simulate.ts";

const seeds = 300;
/** So many are known to come to every state. */
const seedsForAllStates = 30;
/** States that no package comes to or leaves. */
const unreached: readonly StateName[] = ["disabled", "on-demand"];

test("a seed replays exactly, and each seed is another run", async () => {
  const [one, again, other] = [
    await simulateSeed({ seed: 7, steps: usualSteps }),
    await simulateSeed({ seed: 7, steps: usualSteps }),
    await simulateSeed({ seed: 8, steps: usualSteps }),
  ];
  assert.equal(again.hash, one.hash);
  assert.deepEqual(again.lastLines, one.lastLines);
  assert.notEqual(other.hash, one.hash);
});

test(`${seeds} hosts on which everything goes wrong break no rule and get well again`, async () => {
  const seen = new Set<string>();
  const count = scaled(seeds);
  for (let seed = 1; seed <= count; seed++) {
    const { failure, lastLines, counts } = await simulateSeed({ seed, steps: usualSteps });
    if (failure !== undefined) {
      const lines = lastLines.slice(-40).join("\n");
      assert.fail(`npm run simulate -- --seed ${seed} --steps ${usualSteps}\n${failure}\n${lines}`);
    }
    for (const what of counts.keys()) seen.add(what);
  }
  const states = (Object.keys(legalMoves) as StateName[]).filter((state) => !unreached.includes(state));
  const visited = new Set([...seen].flatMap((what) => what.split(" > ")));
  if (count < seedsForAllStates) return;
  assert.deepEqual(
    states.filter((state) => !visited.has(state)),
    [],
  );
});

test("a planted bug is found: whoever has a recorded pid passes for the instance", async () => {
  assert.match(await findBug({ trustsPids: true }), /is a stranger and got SIG|takes pid \d+ for its generation/);
});

test("a planted bug is found: the next generation starts before the last one is proved dead", async () => {
  assert.match(await findBug({ believesSignals: true }), /is a singleton and starts while/);
});

test("a planted bug is found: a parked call is lost now and then", async () => {
  type Add = (this: ParkingLot, ...args: Parameters<ParkingLot["add"]>) => ReturnType<ParkingLot["add"]>;
  const add = Reflect.get(ParkingLot.prototype, "add") as Add;
  let parked = 0;
  const lossy: Add = function (...args) {
    return ++parked % 20 === 0 ? undefined : add.apply(this, args);
  };
  const planted = mock.method(ParkingLot.prototype, "add", lossy);
  try {
    assert.match(await findBug({}), /was never answered|which is ready: no answer/);
  } finally {
    planted.mock.restore();
  }
});

test("a planted bug is found: what the watchdog says of a package is not heard", async () => {
  type Dispatch = (this: PackageRunner, event: LifecycleEvent) => void;
  const dispatch = Reflect.get(PackageRunner.prototype, "dispatch") as Dispatch;
  const deaf: Dispatch = function (event) {
    if (event.type !== "stalled") dispatch.call(this, event);
  };
  const planted = mock.method(PackageRunner.prototype, "dispatch", deaf);
  try {
    assert.match(await findBug({}), /has not answered for \d+/);
  } finally {
    planted.mock.restore();
  }
});

/** What the first seed says that fails; none within the usual ones is a failure of its own. */
async function findBug(plants: Plants): Promise<string> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { failure } = await simulateSeed({ seed, steps: usualSteps, plants });
    if (failure !== undefined) return failure;
  }
  return assert.fail(`not found within ${seeds} seeds`);
}
