import type { LimitMet } from "../process/usage-sampler.ts";
import type { PackageView } from "../status.ts";
import { describeExit } from "../lifecycle/exits.ts";
import type { StateName } from "../lifecycle/states.ts";
import { wasAsked, type Ended } from "../crash/crash.ts";

/** What is told of a package as an event, with the time it happened at. */
export type PackageEvent = { readonly atMs: number } & (
  | { readonly type: "state"; readonly fields: StateFields }
  | { readonly type: "exit"; readonly fields: ExitFields }
  | { readonly type: "limit"; readonly fields: LimitMet }
);

export interface StateFields {
  readonly package: string;
  readonly generation: number;
  readonly from: StateName;
  readonly to: StateName;
  readonly reason: string;
  readonly pid: number;
  readonly restarts: number;
  readonly nextAttemptMs: number | undefined;
}

export interface ExitFields {
  readonly package: string;
  readonly generation: number;
  readonly pid: number;
  readonly code: number;
  readonly signal: string;
  readonly oomKilled: boolean;
  readonly cause: string;
  readonly asked: boolean;
}

/** Longest text in an event, characters. */
const textLimit = 4096;

export function stateEvent(view: PackageView, from: StateName, atMs: number): PackageEvent {
  const { name, generation, state, reason, pid, restarts, nextAttemptMs } = view;
  const fields = { package: name, generation, from, to: state, reason: reason.slice(0, textLimit) };
  return { type: "state", atMs, fields: { ...fields, pid, restarts, nextAttemptMs } };
}

export function exitEvent({ manifest, instance, exit, machine }: Ended, atMs: number): PackageEvent {
  const { code = -1, signal = "", oomKilled = false } = exit;
  const { generation, pid } = instance;
  const cause = describeExit(exit).slice(0, textLimit);
  const fields = { package: manifest.name, generation, pid, code, signal, oomKilled, cause };
  return { type: "exit", atMs, fields: { ...fields, asked: wasAsked(machine) } };
}
