import type { InstanceRecord } from "../process/records.ts";
import { endUnrecorded, settleRecord, type AdoptionOptions } from "./adoption.ts";

/** What the router's first table waits for instances that are slow to prove themselves, milliseconds. */
const adoptionWaitMs = 250;

export interface TakeUpOptions extends AdoptionOptions {
  /** What an earlier control left. */
  readonly records: readonly InstanceRecord[];
  /** From then on the router is told of the fleet. */
  readonly attach: () => void;
}

/**
 * Starts a fleet: what runs is adopted before anything is told to the router, whose last table stands until then; one
 * that is slow to prove itself holds up nobody else. Resolves once the starts have begun; `settled` of the result when
 * every record is settled.
 */
export async function takeUp({ records, attach, ...options }: TakeUpOptions): Promise<{ settled: Promise<unknown> }> {
  const { fleet, host } = options;
  const { clock, sockets } = host.system;
  const recorded = new Set(records.map((each) => `${each.package}.${each.generation}`));
  const unrecorded = sockets
    .left(host.launch.socketFolder)
    .filter((each) => !recorded.has(`${each.package}.${each.generation}`));
  const settling = new Map<string, Promise<unknown>>();
  for (const each of unrecorded) {
    settling.set(each.package, Promise.all([settling.get(each.package), endUnrecorded(each, options)]));
  }
  for (const each of records) {
    settling.set(each.package, Promise.all([settling.get(each.package), settleRecord(each, options)]));
  }
  for (const [name, each] of settling) settling.set(name, fleet.settleFirst(name, each));
  const settled = Promise.all(settling.values());
  await new Promise<unknown>((resolve) => {
    const timer = clock.setTimer(() => resolve(undefined), adoptionWaitMs);
    void settled.then(() => clock.clearTimer(timer)).then(resolve); // none rejects
  });
  attach();
  for (const name of fleet.runners.keys()) {
    const own = settling.get(name) ?? Promise.resolve();
    void own.then(() => fleet.startOrRenew(name)); // neither rejects
  }
  return { settled };
}
