import { died, ended, retryLater } from "./after-exit.ts";
import { skipText } from "./exits.ts";
import type { LifecycleEvent, Machine, StateName } from "./states.ts";
import {
  adopt,
  becomeReady,
  begin,
  beginAfresh,
  destroy,
  drain,
  end,
  giveUp,
  initOrReady,
  nothing,
  probe,
  rest,
  restartReason,
  thenStart,
  thenStop,
  type Facts,
  type Step,
} from "./steps.ts";

type EventName = LifecycleEvent["type"];
type EventOf<N extends EventName> = Extract<LifecycleEvent, { type: N }>;
type Cell<N extends EventName> = (machine: Machine, event: EventOf<N>, facts: Facts) => Step;
type Row = { readonly [N in EventName]: Cell<N> };

/** A package as it is before anything happened. */
export function initialMachine(state: StateName, reason: string): Machine {
  return {
    state,
    wanted: state === "declared" ? "up" : "down",
    reason,
    afterExit: "start",
    wasReady: false,
    failedStarts: 0,
    postponed: 0,
    probing: false,
    restartsMs: [],
  };
}

/** The next state and what to do; pure. Every state × event has a cell, even if it says "nothing". */
export function transition(machine: Machine, event: LifecycleEvent, facts: Facts): Step {
  const cell = table[machine.state][event.type] as Cell<EventName>;
  return cell(machine, event, facts);
}

/** No process: news of one are late, and are nothing. */
const whileDown: Row = {
  start: begin,
  adopted: nothing,
  obstructed: nothing,
  "requirements-met": nothing,
  "spawn-failed": nothing,
  "socket-ready": nothing,
  "readiness-timeout": nothing,
  "init-done": nothing,
  "init-skipped": nothing,
  "init-failed": nothing,
  degraded: nothing,
  recovered: nothing,
  stalled: nothing,
  exit: nothing,
  stop: (machine) => rest(machine, ""),
  restart: beginAfresh,
  drained: nothing,
  "grace-over": nothing,
  timer: nothing,
  call: nothing,
};

/** A process that is to live on. */
const whileUp: Row = {
  ...whileDown,
  start: nothing,
  exit: died,
  stop: (machine) => drain(machine, "stopped", ""),
  restart: (machine) => drain(machine, "start", restartReason),
  stalled: (machine, { reason }) => destroy(machine, reason),
};

/** A process that has taken no calls yet: nothing to drain. */
const whileComingUp: Row = {
  ...whileUp,
  stop: (machine) => end(machine, "stopped", ""),
  restart: (machine) => end(machine, "start", restartReason),
};

/** A process that is to end: what comes after it may still change. */
const whileEnding: Row = {
  ...whileDown,
  start: thenStart,
  restart: thenStart,
  stop: thenStop,
  exit: ended,
};

const table: { readonly [S in StateName]: Row } = {
  declared: {
    ...whileDown,
    adopted: adopt,
    obstructed: (machine, { reason }) => giveUp({ ...machine, wanted: "up" }, reason),
  },
  waiting: { ...whileDown, "requirements-met": begin },
  starting: {
    ...whileComingUp,
    obstructed: (machine, { reason }) => giveUp(machine, reason),
    "spawn-failed": (machine, { reason }, facts) => retryLater(machine, reason, facts),
    "socket-ready": initOrReady,
    "readiness-timeout": (machine, { reason }) => destroy(machine, reason),
  },
  initializing: {
    ...whileComingUp,
    "init-done": becomeReady,
    "init-skipped": (machine, { reason }) => end(machine, "skipped", skipText(reason)),
    "init-failed": (machine, { reason, retriable }) => end(machine, retriable ? "failed-start" : "failed", reason),
    "readiness-timeout": (machine, { reason }) => destroy(machine, reason),
  },
  ready: {
    ...whileUp,
    degraded: (machine, { reason }) => nothing({ ...machine, state: "unhealthy", reason }),
  },
  unhealthy: {
    ...whileUp,
    degraded: (machine, { reason }) => nothing({ ...machine, reason }),
    recovered: (machine) => nothing({ ...machine, state: "ready", reason: "" }),
  },
  draining: {
    ...whileEnding,
    // Nobody is left to finish the open calls.
    stalled: (machine) => ({ machine: { ...machine, state: "stopping" }, actions: ["disarm", "kill"] }),
    drained: (machine) => end(machine, machine.afterExit, machine.reason),
  },
  stopping: { ...whileEnding, "grace-over": (machine) => ({ machine, actions: ["kill"] }) },
  stopped: whileDown,
  backoff: { ...whileDown, "requirements-met": begin, timer: begin },
  skipped: whileDown,
  failed: { ...whileDown, "requirements-met": probe, timer: probe },
  disabled: { ...whileDown, start: nothing, stop: nothing, restart: nothing },
  "on-demand": { ...whileDown, start: nothing, call: begin },
};
