import type { RestartPolicy } from "../config/manifest.ts";
import type { Action, AfterExit, Machine } from "./states.ts";

/** How often a failed package is tried again, milliseconds. */
export const probeMs = 60_000;

/** What a decision may look at besides the machine. */
export interface Facts {
  readonly policy: RestartPolicy;
  /** Whether Init belongs to the start (tier 3). */
  readonly native: boolean;
  readonly requirementsMet: boolean;
  readonly nowMs: number;
  /** 0 to 1. */
  readonly random: () => number;
}

export interface Step {
  readonly machine: Machine;
  readonly actions: readonly Action[];
}

// The verbs of the table's cells.

export const nothing = (machine: Machine): Step => ({ machine, actions: [] });

export const begin = (machine: Machine, _event: unknown, facts: Facts): Step =>
  facts.requirementsMet
    ? {
        machine: { ...machine, state: "starting", wanted: "up", reason: "", wasReady: false, afterExit: "start" },
        actions: ["disarm", "spawn", { arm: "readiness" }],
      }
    : { machine: { ...machine, state: "waiting", wanted: "up" }, actions: ["disarm"] };

/** By command: nothing that was counts any more. */
export const beginAfresh = (machine: Machine, event: unknown, facts: Facts): Step =>
  begin({ ...machine, failedStarts: 0, postponed: 0, probing: false, restartsMs: [] }, event, facts);

export const probe = (machine: Machine, event: unknown, facts: Facts): Step =>
  begin({ ...machine, probing: true }, event, facts);

export const becomeReady = (machine: Machine): Step => ({
  machine: { ...machine, state: "ready", reason: "", wasReady: true, failedStarts: 0, postponed: 0, probing: false },
  actions: ["disarm"],
});

/** The instance had been ready under an earlier control; Init is not repeated. */
export const adopt = (machine: Machine): Step => becomeReady({ ...machine, wanted: "up" });

export const initOrReady = (machine: Machine, _event: unknown, facts: Facts): Step =>
  facts.native ? { machine: { ...machine, state: "initializing" }, actions: ["init"] } : becomeReady(machine);

/** Down, and meant to be. */
export const rest = (machine: Machine, reason: string): Step => ({
  machine: { ...machine, state: "stopped", wanted: "down", reason },
  actions: ["disarm"],
});

/** Given up, but for a probe now and then. */
export const giveUp = (machine: Machine, reason: string): Step => ({
  machine: { ...machine, state: "failed", reason },
  actions: ["disarm", { arm: "timer", delayMs: probeMs }],
});

/** SIGTERM, SIGKILL after the grace period. */
export const end = (machine: Machine, afterExit: AfterExit, reason: string): Step => ({
  machine: {
    ...machine,
    state: "stopping",
    afterExit,
    wanted: afterExit === "stopped" ? "down" : machine.wanted,
    reason,
  },
  actions: ["disarm", "terminate", { arm: "grace" }],
});

/** SIGKILL: it does not answer. */
export const destroy = (machine: Machine, reason: string): Step => ({
  machine: { ...machine, state: "stopping", afterExit: machine.wasReady ? "restart" : "failed-start", reason },
  actions: ["disarm", "kill"],
});

/** Open calls first, then the end. */
export const drain = (machine: Machine, afterExit: "start" | "stopped", reason: string): Step => ({
  machine: { ...machine, state: "draining", afterExit, reason, wanted: afterExit === "stopped" ? "down" : "up" },
  actions: ["disarm", "drain", { arm: "drain" }],
});

/** While it ends: what is to follow. */
export const thenStop = (machine: Machine): Step => nothing({ ...machine, afterExit: "stopped", wanted: "down" });

export const thenStart = (machine: Machine): Step =>
  nothing({ ...machine, afterExit: "start", wanted: "up", reason: restartReason });

/** Reason of a package that is on its way to a wanted restart. */
export const restartReason = "restarting";
