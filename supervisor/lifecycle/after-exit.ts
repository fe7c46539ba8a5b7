import { backoffMs } from "./backoff.ts";
import { describeExit, exitCodes, skipText } from "./exits.ts";
import { mayRestart, recentRestarts } from "./restart-intensity.ts";
import type { Exit, Machine } from "./states.ts";
import { begin, giveUp, rest, type Facts, type Step } from "./steps.ts";

/** The process is gone though nobody asked for it. */
export function died(machine: Machine, { exit }: { readonly exit: Exit }, facts: Facts): Step {
  const { code } = exit;
  const { policy } = facts.policy;
  if (code === exitCodes.badConfig) {
    return giveUp(machine, exit.lastLine === "" ? "its config is wrong (exit code 78)" : exit.lastLine);
  }
  if (code === exitCodes.notHere) return skip(machine, skipText(exit.lastLine));
  if (code === exitCodes.tryLater) return postpone(machine, facts);
  if (code === exitCodes.done && policy !== "permanent") return rest(machine, "done");
  const reason = describeExit(exit);
  return machine.wasReady ? restartAfterLife(machine, reason, facts) : retryLater(machine, reason, facts);
}

/** The exit that draining or stopping waited for. Any exit after SIGTERM is clean, so its code says nothing. */
export function ended(machine: Machine, { exit }: { readonly exit: Exit }, facts: Facts): Step {
  switch (machine.afterExit) {
    case "stopped":
      return rest(machine, "");
    case "skipped":
      return skip(machine, machine.reason);
    case "failed":
      return giveUp(machine, machine.reason);
    case "failed-start":
      return retryLater(machine, machine.reason === "" ? describeExit(exit) : machine.reason, facts);
    case "restart":
      return restartAfterLife(machine, machine.reason, facts);
    case "start":
      return begin(machine, undefined, facts);
  }
}

/** A start that never got ready. */
export function retryLater(machine: Machine, reason: string, facts: Facts): Step {
  if (facts.policy.policy === "temporary") return rest(machine, reason);
  const failedStarts = machine.failedStarts + 1;
  if (machine.probing) return giveUp({ ...machine, failedStarts }, reason);
  const delayMs = backoffMs(facts.policy, failedStarts, facts.random);
  return {
    machine: { ...machine, state: "backoff", failedStarts, reason },
    actions: ["disarm", { arm: "timer", delayMs }],
  };
}

/** Healthy lives that end are followed at once, within the intensity. */
function restartAfterLife(machine: Machine, reason: string, facts: Facts): Step {
  const { policy, nowMs } = facts;
  if (policy.policy === "temporary") return rest(machine, reason);
  if (!mayRestart(policy, machine.restartsMs, nowMs)) {
    return giveUp(machine, `${reason}; more than ${policy.intensity} restarts in ${policy.periodMs / 1000} s`);
  }
  // Without a limit nothing is counted: a package that is killed for ever must not make this list grow.
  const restartsMs = policy.intensity === 0 ? [] : [...recentRestarts(policy, machine.restartsMs, nowMs), nowMs];
  const counted = { ...machine, restartsMs, reason };
  if (policy.firstMs === 0) return begin(counted, undefined, facts);
  return { machine: { ...counted, state: "backoff" }, actions: ["disarm", { arm: "timer", delayMs: policy.firstMs }] };
}

/** It asked to be tried later: neither a failure nor a restart, but each time in a row it is left alone longer. */
function postpone(machine: Machine, facts: Facts): Step {
  const postponed = machine.postponed + 1;
  const delayMs = backoffMs(facts.policy, postponed, facts.random);
  const reason = "asked to be tried again later (exit code 75)";
  return {
    machine: { ...machine, state: "backoff", postponed, reason },
    actions: ["disarm", { arm: "timer", delayMs }],
  };
}

function skip(machine: Machine, reason: string): Step {
  return { machine: { ...machine, state: "skipped", wanted: "down", reason }, actions: ["disarm"] };
}
