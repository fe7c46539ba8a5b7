import assert from "node:assert/strict";
import { test } from "node:test";
import type { RestartPolicy } from "../../../supervisor/config/manifest.ts";
import type { Action, Exit, LifecycleEvent, Machine, StateName } from "../../../supervisor/lifecycle/states.ts";
import { routeState } from "../../../supervisor/lifecycle/route-rows.ts";
import { probeMs, type Facts } from "../../../supervisor/lifecycle/steps.ts";
import { initialMachine, transition } from "../../../supervisor/lifecycle/transitions.ts";

const policy: RestartPolicy = {
  policy: "permanent",
  firstMs: 0,
  minMs: 100,
  maxMs: 30_000,
  intensity: 2,
  periodMs: 60_000,
};
const facts: Facts = { policy, native: true, requirementsMet: true, nowMs: 1_000_000, random: () => 0.5 };
const exit = (code: number | undefined, signal?: string, lastLine = ""): Exit => ({ code, signal, lastLine });

const states: StateName[] = [
  "declared",
  "waiting",
  "starting",
  "initializing",
  "ready",
  "unhealthy",
  "draining",
  "stopping",
  "stopped",
  "backoff",
  "skipped",
  "failed",
  "disabled",
  "on-demand",
];
const events: LifecycleEvent[] = [
  { type: "start" },
  { type: "adopted" },
  { type: "obstructed", reason: "r" },
  { type: "requirements-met" },
  { type: "spawn-failed", reason: "r" },
  { type: "socket-ready" },
  { type: "readiness-timeout", reason: "late" },
  { type: "init-done" },
  { type: "init-skipped", reason: "r" },
  { type: "init-failed", reason: "r", retriable: true },
  { type: "degraded", reason: "r" },
  { type: "recovered" },
  { type: "stalled", reason: "r" },
  { type: "exit", exit: exit(1) },
  { type: "stop" },
  { type: "restart" },
  { type: "drained" },
  { type: "grace-over" },
  { type: "timer" },
  { type: "call" },
];

/** Where each event leads; "." stays, nothing done. Columns as in `events`. */
const expected: Record<StateName, string> = {
  declared: "starting ready failed . . . . . . . . . . . stopped starting . . . .",
  waiting: "starting . . starting . . . . . . . . . . stopped starting . . . .",
  starting: ". . failed . backoff initializing stopping . . . . . stopping backoff stopping stopping . . . .",
  initializing: ". . . . . . stopping ready stopping stopping . . stopping backoff stopping stopping . . . .",
  ready: ". . . . . . . . . . unhealthy . stopping backoff draining draining . . . .",
  unhealthy: ". . . . . . . . . . unhealthy ready stopping backoff draining draining . . . .",
  draining: "draining . . . . . . . . . . . stopping starting draining draining stopping . . .",
  stopping: "stopping . . . . . . . . . . . . starting stopping stopping . stopping . .",
  stopped: "starting . . . . . . . . . . . . . stopped starting . . . .",
  backoff: "starting . . starting . . . . . . . . . . stopped starting . . starting .",
  skipped: "starting . . . . . . . . . . . . . stopped starting . . . .",
  failed: "starting . . starting . . . . . . . . . . stopped starting . . starting .",
  disabled: ". . . . . . . . . . . . . . . . . . . .",
  "on-demand": ". . . . . . . . . . . . . . stopped starting . . . starting",
};

function at(state: StateName, change: Partial<Machine> = {}): Machine {
  return { ...initialMachine("declared", ""), state, ...change };
}

for (const state of states) {
  test(`every event has its answer in ${state}`, () => {
    const columns = expected[state].split(" ");
    assert.equal(columns.length, events.length);
    for (const [index, event] of events.entries()) {
      const before = at(state);
      const step = transition(before, event, facts);
      if (columns[index] === ".") {
        assert.deepEqual(step, { machine: before, actions: [] }, `${state} × ${event.type}`);
      } else assert.equal(step.machine.state, columns[index], `${state} × ${event.type}`);
    }
  });
}

const run = (machine: Machine, ...sequence: LifecycleEvent[]): { machine: Machine; actions: readonly Action[] } => {
  let actions: readonly Action[] = [];
  for (const event of sequence) {
    const step = transition(machine, event, facts);
    machine = step.machine;
    actions = step.actions;
  }
  return { machine, actions };
};

test("a package that lacks what it requires waits, and starts by itself when that is ready", () => {
  const waiting = transition(at("declared"), { type: "start" }, { ...facts, requirementsMet: false });
  assert.equal(waiting.machine.state, "waiting");
  const started = transition(waiting.machine, { type: "requirements-met" }, facts);
  assert.deepEqual(started.actions, ["disarm", "spawn", { arm: "readiness" }]);
});

test("a package that is not native is ready as soon as its socket answers", () => {
  const step = transition(at("starting"), { type: "socket-ready" }, { ...facts, native: false });
  assert.equal(step.machine.state, "ready");
});

test("a package that had been ready is started again at once, until its intensity is exceeded", () => {
  const died: LifecycleEvent = { type: "exit", exit: exit(undefined, "SIGKILL") };
  let machine = at("ready", { wasReady: true });
  for (let life = 0; life < policy.intensity; life++) {
    machine = run(machine, died, { type: "socket-ready" }, { type: "init-done" }).machine;
    assert.equal(machine.state, "ready");
  }
  const { machine: failed, actions } = run(machine, died);
  assert.equal(failed.state, "failed");
  assert.match(failed.reason, /killed by SIGKILL; more than 2 restarts in 60 s/);
  assert.deepEqual(actions, ["disarm", { arm: "timer", delayMs: probeMs }]);
  assert.equal(transition(failed, { type: "timer" }, facts).machine.state, "starting");
});

test("restarts older than the period no longer count", () => {
  const old = at("ready", { wasReady: true, restartsMs: [1, 2, 3] });
  const step = transition(old, { type: "exit", exit: exit(1) }, facts);
  assert.equal(step.machine.state, "starting");
  assert.deepEqual(step.machine.restartsMs, [facts.nowMs]);
});

test("starts that never get ready back off, doubling with jitter up to the maximum", () => {
  let machine = at("starting");
  const delays: number[] = [];
  for (let attempt = 0; attempt < 12; attempt++) {
    const step = transition(machine, { type: "exit", exit: exit(1) }, facts);
    const timer = step.actions.find((action) => typeof action === "object" && action.arm === "timer");
    delays.push(typeof timer === "object" && "delayMs" in timer ? timer.delayMs : -1);
    machine = transition(step.machine, { type: "timer" }, facts).machine;
  }
  assert.deepEqual(delays.slice(0, 4), [50, 100, 200, 400]);
  assert.equal(delays.at(-1), 15_000);
});

test("the delay of a failed start is anything from nothing to its ceiling", () => {
  const delay = (random: number) =>
    transition(at("starting", { failedStarts: 2 }), { type: "exit", exit: exit(1) }, { ...facts, random: () => random })
      .actions;
  assert.deepEqual(delay(0), ["disarm", { arm: "timer", delayMs: 0 }]);
  assert.deepEqual(delay(1), ["disarm", { arm: "timer", delayMs: 400 }]);
});

test("one that asks to be tried later is left alone longer each time, until it has been ready", () => {
  const later: LifecycleEvent = { type: "exit", exit: exit(75) };
  let machine = at("starting");
  const delays: number[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    const step = transition(machine, later, facts);
    const [, timer] = step.actions;
    delays.push(typeof timer === "object" && "delayMs" in timer ? timer.delayMs : -1);
    machine = transition(step.machine, { type: "timer" }, facts).machine;
  }
  assert.deepEqual(delays, [50, 100, 200]);
  const ready = run(machine, { type: "socket-ready" }, { type: "init-done" }).machine;
  assert.equal(ready.postponed, 0);
});

test("a probe that does not get ready leads back to failed, and to the next probe; one that does forgets", () => {
  const probing = run(at("failed"), { type: "timer" }).machine;
  assert.equal(probing.probing, true);
  const dead = run(probing, { type: "exit", exit: exit(1) });
  assert.equal(dead.machine.state, "failed");
  assert.deepEqual(dead.actions, ["disarm", { arm: "timer", delayMs: probeMs }]);
  const late = run(
    probing,
    { type: "readiness-timeout", reason: "late" },
    { type: "exit", exit: exit(undefined, "SIGKILL") },
  ).machine;
  assert.deepEqual([late.state, late.reason], ["failed", "late"]);
  const healthy = run(probing, { type: "socket-ready" }, { type: "init-done" }).machine;
  assert.deepEqual([healthy.state, healthy.probing], ["ready", false]);
});

test("a probe whose requirements are missing waits for them, and is a probe still", () => {
  const waiting = transition(at("failed"), { type: "timer" }, { ...facts, requirementsMet: false }).machine;
  assert.deepEqual([waiting.state, waiting.probing], ["waiting", true]);
});

test("calls do not wait for a probe, nor for the fourth of starts that fail", () => {
  assert.equal(routeState(run(at("failed"), { type: "timer" }).machine), "closed");
  assert.equal(routeState(at("starting", { failedStarts: 2 })), "parked");
  assert.equal(routeState(at("starting", { failedStarts: 3 })), "closed");
});

test("an instance of an earlier control is taken as one that had been ready, and Init is not repeated", () => {
  const step = transition(at("declared"), { type: "adopted" }, { ...facts, requirementsMet: false });
  assert.deepEqual([step.machine.state, step.machine.wasReady, step.actions], ["ready", true, ["disarm"]]);
});

test("an old instance that is not proved dead keeps a package failed, which is probed", () => {
  const { machine, actions } = run(at("starting"), { type: "obstructed", reason: "old instance not dead" });
  assert.deepEqual([machine.state, machine.reason], ["failed", "old instance not dead"]);
  assert.deepEqual(actions, ["disarm", { arm: "timer", delayMs: probeMs }]);
});

test("becoming ready forgets failed starts", () => {
  const { machine } = run(at("initializing", { failedStarts: 7 }), { type: "init-done" });
  assert.equal(machine.failedStarts, 0);
});

test("a restart by command forgets failed starts and restarts", () => {
  const before = at("backoff", { failedStarts: 7, restartsMs: [1, 2], postponed: 3 });
  const { machine } = run(before, { type: "restart" });
  assert.deepEqual([machine.failedStarts, machine.restartsMs, machine.postponed], [0, [], 0]);
});

test("exit codes of the contract beat the restart policy", () => {
  const ready = at("ready", { wasReady: true });
  const after = (code: number, lastLine = "") =>
    transition(ready, { type: "exit", exit: exit(code, undefined, lastLine) }, facts).machine;
  assert.equal(after(75).state, "backoff");
  assert.deepEqual([after(75).failedStarts, after(75).restartsMs], [0, []]);
  assert.deepEqual(
    [after(78, "key x is wrong").state, after(78, "key x is wrong").reason],
    ["failed", "key x is wrong"],
  );
  assert.equal(after(79, "no btrfs here").state, "skipped");
  assert.match(after(79, "no btrfs here").reason, /skip plugin/);
  assert.equal(after(0).state, "starting");
});

test("a transient package that is done stays down, a temporary one always", () => {
  const end = (name: "transient" | "temporary", code: number) =>
    transition(
      at("ready", { wasReady: true }),
      { type: "exit", exit: exit(code) },
      { ...facts, policy: { ...policy, policy: name } },
    ).machine.state;
  assert.equal(end("transient", 0), "stopped");
  assert.equal(end("transient", 1), "starting");
  assert.equal(end("temporary", 1), "stopped");
});

test("a temporary package is not started again whatever ended it", () => {
  const temporary = { ...facts, policy: { ...policy, policy: "temporary" as const } };
  const unstartable = transition(at("starting"), { type: "spawn-failed", reason: "r" }, temporary).machine;
  assert.deepEqual([unstartable.state, unstartable.wanted, unstartable.reason], ["stopped", "down", "r"]);
  const stalled = transition(at("ready", { wasReady: true }), { type: "stalled", reason: "r" }, temporary).machine;
  const after = transition(stalled, { type: "exit", exit: exit(undefined, "SIGKILL") }, temporary).machine;
  assert.deepEqual([after.state, after.reason], ["stopped", "r"]);
});

test("without a limit restarts are not counted", () => {
  const endless = { ...facts, policy: { ...policy, intensity: 0 } };
  const step = transition(at("ready", { wasReady: true }), { type: "exit", exit: exit(1) }, endless);
  assert.deepEqual([step.machine.state, step.machine.restartsMs], ["starting", []]);
});

test("a life ends at once where the policy says so, else after its first delay", () => {
  const later = { ...facts, policy: { ...policy, firstMs: 70 } };
  const step = transition(at("ready", { wasReady: true }), { type: "exit", exit: exit(1) }, later);
  assert.deepEqual(step.actions, ["disarm", { arm: "timer", delayMs: 70 }]);
});

test("a stop drains, terminates, kills after the grace period and ends in stopped", () => {
  const draining = run(at("ready"), { type: "stop" });
  assert.deepEqual(draining.actions, ["disarm", "drain", { arm: "drain" }]);
  const stopping = run(draining.machine, { type: "drained" });
  assert.deepEqual(stopping.actions, ["disarm", "terminate", { arm: "grace" }]);
  assert.deepEqual(run(stopping.machine, { type: "grace-over" }).actions, ["kill"]);
  const stopped = run(stopping.machine, { type: "exit", exit: exit(undefined, "SIGKILL") }).machine;
  assert.deepEqual([stopped.state, stopped.wanted], ["stopped", "down"]);
});

test("a stop that comes while a restart is under way wins", () => {
  const { machine } = run(
    at("ready"),
    { type: "restart" },
    { type: "stop" },
    { type: "drained" },
    { type: "exit", exit: exit(0) },
  );
  assert.equal(machine.state, "stopped");
});

test("a wanted restart does not count towards the intensity, a stalled life does", () => {
  const wanted = run(
    at("ready", { wasReady: true }),
    { type: "restart" },
    { type: "drained" },
    { type: "exit", exit: exit(0) },
  ).machine;
  assert.deepEqual([wanted.state, wanted.restartsMs], ["starting", []]);
  const stalled = run(
    at("ready", { wasReady: true }),
    { type: "stalled", reason: "no answer" },
    { type: "exit", exit: exit(undefined, "SIGKILL") },
  ).machine;
  assert.deepEqual([stalled.state, stalled.restartsMs], ["starting", [facts.nowMs]]);
});

test("Init decides between skipped, failed for good and tried again", () => {
  const end = (event: LifecycleEvent) => run(at("initializing"), event, { type: "exit", exit: exit(0) }).machine.state;
  assert.equal(end({ type: "init-skipped", reason: "no btrfs" }), "skipped");
  assert.equal(end({ type: "init-failed", reason: "bad", retriable: false }), "failed");
  assert.equal(end({ type: "init-failed", reason: "busy", retriable: true }), "backoff");
});
