import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, test } from "node:test";
import { Child } from "../../harness/child.ts";
import { cpuMsOf } from "../../harness/cpu-clock.ts";
import { scaled } from "../../harness/deadline.ts";
import { LineWatch } from "../../harness/line-watch.ts";
import { attacks } from "./harness/attacks.ts";
import { CallTimes, quantile, startPromptPackage } from "./harness/call-times.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

/**
 * Every known attack is run in turn with calls that are well behaved and keep everything as busy. What a call waits for is
 * counted on the router's own processor clock: it tells what the attack has the router do while others wait, and does not
 * run while other processes have the machine.
 */

const service = "test.v1.Ordinary";
const rounds = 2;
const callsOfRound = scaled(150);
/** An attack may make the slowest hundredth of ordinary calls so many times slower. */
const mostSlower = 5;

const stack = new AsyncDisposableStack();
after(async () => stack.disposeAsync());
const router = stack.use(await RouterProcess.start());
stack.use(await startPromptPackage(router.socketPath("ordinary")));
const attacked = stack.use(
  new Child(process.execPath, [program("attacked-package.ts"), router.socketPath("attacked")]),
);
await attacked.output.waitFor(/serving/);
await router.apply({
  packages: { ordinary: row(router.socketPath("ordinary")), attacked: row(router.socketPath("attacked")) },
  routes: { [service]: "ordinary", "test.v1.Attacked": "attacked" },
});
const calls = stack.use(await CallTimes.connect(router.mainSocket, `/${service}/Call`));

test(`ordinary calls are at most ${mostSlower} times slower under any attack`, async (context) => {
  const now = (): number => cpuMsOf(router.child.pid ?? 0);
  await using attacker = startAttacker();
  const calm: number[] = [];
  // The router's code is compiled on its processor clock, too.
  for (const word of ["behave", "9", "3", "rest"]) {
    await attacker.tell(word);
    await calls.measure(callsOfRound, now);
  }
  const seen: { readonly name: string; readonly p99: number }[] = [];
  for (const [number, attack] of attacks.entries()) {
    await context.test(`there is ${attack.name}, and calls go on`, async () => {
      const under: number[] = [];
      for (let round = 0; round < rounds; round++) {
        await attacker.tell("behave");
        calm.push(...(await calls.measure(callsOfRound, now)));
        await attacker.tell(String(number));
        under.push(...(await calls.measure(callsOfRound, now)));
        await attacker.tell("rest");
      }
      seen.push({ name: attack.name, p99: quantile(under, 0.99) });
    });
  }
  const calmP99 = quantile(calm, 0.99);
  for (const { name, p99 } of seen)
    context.diagnostic(`${p99.toFixed(2)} ms against ${calmP99.toFixed(2)} ms: ${name}`);
  const slow = seen.filter(({ p99 }) => p99 >= mostSlower * calmP99);
  assert.deepEqual(slow, [], `against ${calmP99} ms`);
});

function program(name: string): string {
  return new URL(`harness/${name}`, import.meta.url).pathname;
}

/** The attacker, resting. Owns: its process. */
function startAttacker() {
  const child = spawn(process.execPath, [program("attacker.ts"), router.mainSocket], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const output = new LineWatch(child.stdout);
  let commands = 0;
  return {
    /** Resolves when it does so. */
    tell: async (word: string): Promise<void> => {
      child.stdin.write(`${word}\n`);
      await output.waitFor(new RegExp(`^${++commands}: `));
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      const exited = once(child, "exit");
      child.stdin.end();
      await exited;
    },
  };
}
