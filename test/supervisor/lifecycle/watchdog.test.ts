import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { readProcStat } from "../../../supervisor/holder/proc-stat.ts";
import { Watchdog, type WatchdogSubject } from "../../../supervisor/lifecycle/watchdog.ts";
import { Life, Timeline } from "../../simulation/machine/timeline.ts";
import { within } from "../../harness/deadline.ts";

const limits = { intervalMs: 30, misses: 3 };

/** A watchdog over answers that the test gives; `stalled` resolves with its reason. */
function watch(ask: (asked: number) => Promise<boolean>, more: Partial<WatchdogSubject> = {}) {
  const { promise: stalled, resolve } = Promise.withResolvers<string>();
  const seen = { asked: 0 };
  const watchdog = new Watchdog(limits, {
    ask: () => ask(++seen.asked),
    debugged: () => false,
    stalled: resolve,
    ...more,
  });
  return { watchdog, stalled, seen };
}

const never = (): Promise<boolean> => new Promise(() => {});

test("silence for all of its checks in a row is a stall, found within interval × misses + 500 ms (times ten)", async () => {
  const started = performance.now();
  const { stalled, seen } = watch(never);
  assert.match(await within("a stall", stalled), /^no answer to 3 health checks in a row, one every 30 ms$/);
  const took = performance.now() - started;
  assert.ok(took >= limits.intervalMs * limits.misses && took < 10 * (limits.intervalMs * limits.misses + 500));
  assert.ok(seen.asked >= limits.misses);
});

test("one answer in a row is enough, and a late one is one", async () => {
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  let late: ((answered: boolean) => void) | undefined;
  const { watchdog, stalled } = watch((asked) => {
    if (asked === 40) resolve();
    if (asked % 2 === 0) {
      late?.(true);
      return never();
    }
    return new Promise((answer) => {
      late = answer;
    });
  });
  using _ = watchdog;
  assert.equal(await within("forty checks", Promise.race([enough, stalled])), undefined);
});

test("silence under a debugger is none", async () => {
  const { promise: looked, resolve } = Promise.withResolvers<void>();
  let looks = 0;
  const debugged = (): boolean => {
    looks += 1;
    if (looks === 3) resolve();
    return true;
  };
  const { watchdog, stalled } = watch(never, { debugged });
  using _ = watchdog;
  assert.equal(await within("three verdicts put off", Promise.race([looked, stalled])), undefined);
});

test("silence while this process was itself stopped does not count", async () => {
  const script = `
    import { Watchdog } from ${JSON.stringify(new URL("../../../supervisor/lifecycle/watchdog.ts", import.meta.url).href)};
    let asked = 0;
    new Watchdog({ intervalMs: 100, misses: 1 }, {
      ask: () => {
        asked += 1;
        if (asked === 1) setImmediate(() => process.kill(process.pid, "SIGSTOP")); // the verdict is due in 400 ms
        if (asked < 3) return new Promise(() => {});
        setImmediate(() => process.exit(0));
        return Promise.resolve(true);
      },
      debugged: () => false,
      stalled: () => { console.log("stalled"); process.exit(1); },
    });
    console.log("up");
  `;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await within("its start", once(child.stdout, "data"));
  await within("its stop", stopped(child.pid ?? 0));
  // Another process's life is a measure of time that does not depend on this one's timers.
  await once(spawn("sleep", ["1.5"]), "exit");
  child.kill("SIGCONT");
  assert.deepEqual(await within("its end", once(child, "exit")), [0, null]);
});

async function stopped(pid: number): Promise<void> {
  while (readProcStat(pid)?.state !== "T") await nextTurn();
}

test("silence while everything stood still does not count, however little of the wait was left", async () => {
  const timeline = new Timeline();
  const clock = new Life(timeline);
  let asked = 0;
  let stalled = "";
  const subject = {
    ask: () =>
      new Promise<boolean>((resolve) => {
        asked++;
        // On its way when everything stops, and a moment from its end when everything goes on.
        clock.setTimer(() => clock.setTimer(() => resolve(true), 5), 5);
      }),
    debugged: () => false,
    stalled: (reason: string) => (stalled = reason),
  };
  using _ = new Watchdog({ intervalMs: 1000, misses: 1 }, subject, clock);
  while (asked === 0) await timeline.step(2000);
  timeline.freeze(550); // the verdict is due 400 ms from now
  while (timeline.nowMs < 10_000) await timeline.step(10_000);
  assert.equal(stalled, "");
  assert.ok(asked > 5);
});
