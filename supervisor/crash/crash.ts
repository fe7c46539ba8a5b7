import type { Manifest } from "../config/manifest.ts";
import type { Instance } from "../lifecycle/instance.ts";
import { exitCodes } from "../lifecycle/exits.ts";
import type { Exit, Machine } from "../lifecycle/states.ts";

/** An instance that has just ended, and what was known of its package then. */
export interface Ended {
  readonly manifest: Manifest;
  readonly instance: Instance;
  readonly exit: Exit;
  /** As it was before the exit was handled. */
  readonly machine: Machine;
}

/** Whether somebody wanted the end: a stop or restart, or because the package itself had said that it cannot go on. */
export function wasAsked({ state, afterExit }: Machine): boolean {
  if (state !== "draining" && state !== "stopping") return false;
  return afterExit !== "restart" && afterExit !== "failed-start";
}

/** Whether the end is one to report: not wanted, and not one of the contract's orderly exits. */
export function isCrash({ machine, exit, manifest }: Pick<Ended, "machine" | "exit" | "manifest">): boolean {
  if (wasAsked(machine)) return false;
  if (machine.state === "stopping" || machine.state === "draining") return true; // it was killed for what it did
  const { code } = exit;
  if (code === exitCodes.done) return manifest.restart.policy === "permanent";
  return code !== exitCodes.tryLater && code !== exitCodes.badConfig && code !== exitCodes.notHere;
}
