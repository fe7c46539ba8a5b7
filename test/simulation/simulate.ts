import type { PackageRunner } from "../../supervisor/lifecycle/package-runner.ts";
import { happen } from "./faults.ts";
import { Chance } from "./machine/chance.ts";
import type { Plants } from "./machine/sim-system.ts";
import { settled } from "./machine/timeline.ts";
import { World } from "./world.ts";

/** What one run of a seed came to. */
export interface SeedResult {
  readonly seed: number;
  /** Of everything that happened: the same in each run of the seed. */
  readonly hash: string;
  /** Lines of the trace. */
  readonly events: number;
  readonly simulatedMs: number;
  /** From the last fault until everything was ready, milliseconds; undefined: it did not come to that. */
  readonly recoveredMs: number | undefined;
  /** How often each thing happened. */
  readonly counts: ReadonlyMap<string, number>;
  /** What was broken; undefined: nothing. */
  readonly failure: string | undefined;
  /** The last of what happened before, oldest first. */
  readonly lastLines: readonly string[];
}

export interface SeedOptions {
  readonly seed: number;
  /** Things that go wrong, or calls. */
  readonly steps: number;
  readonly plants?: Plants;
}

/** Steps of a seed where nothing else is said. */
export const usualSteps = 80;

/** How often the daemon is stopped in the middle of it all. */
const stopsAtOnce = 0.2;
/** Whatever stands still or is away is back after that. */
const backWithinMs = 30_000;
const longestPauseMs = 400;
/** Once nothing goes wrong any more: a probe's pause, and what a chain of starts, readiness and boot order may take. */
const convergesWithinMs = 150_000;
const lookEveryMs = 250;
/** What a call to a healthy package may take. */
const callWithinMs = 8000;

/** Runs one seed: everything goes wrong for `steps` steps, then nothing any more, and all must get well. */
export async function simulateSeed({ seed, steps, plants }: SeedOptions): Promise<SeedResult> {
  const world = new World(new Chance(seed), plants);
  let failure: string | undefined;
  let recoveredMs: number | undefined;
  const rejected = (error: unknown): void => void (world.failure ??= error);
  process.on("unhandledRejection", rejected);
  try {
    await world.advance(0);
    for (let step = 0; step < steps; step++) {
      happen(world);
      await world.advance(world.chance.between(0, longestPauseMs));
    }
    if (world.chance.happens(stopsAtOnce)) await comeBack(world);
    else {
      recoveredMs = await recover(world);
      await askEveryone(world);
    }
    await stopAll(world);
  } catch (error) {
    failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    world.trace.add(`broken: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    world.end();
    await settled();
    process.off("unhandledRejection", rejected);
  }
  const { trace } = world;
  return {
    seed,
    events: trace.length,
    simulatedMs: world.machine.timeline.nowMs,
    recoveredMs,
    counts: world.counts,
    failure,
    lastLines: trace.last,
    hash: trace.digest(),
  };
}

/** A stop is asked of a control that is there and lives. */
async function comeBack(world: World): Promise<void> {
  const untilMs = world.machine.timeline.nowMs + backWithinMs;
  while (isAway(world) && world.machine.timeline.nowMs < untilMs) await world.advance(lookEveryMs);
}

function isAway({ control, router, machine }: World): boolean {
  return control === undefined || router === undefined || control.life.stalledUntilMs > machine.timeline.nowMs;
}

/** Nothing goes wrong any more: whatever was broken must be found and mended by supervision alone. */
async function recover(world: World): Promise<number> {
  const fromMs = world.machine.timeline.nowMs;
  world.trace.add("faults are over");
  world.faulty = false;
  world.machine.disk.full = false;
  for (const process of world.machine.processes.values()) process.mend();
  for (const process of world.machine.processes.values()) {
    if (process.isStranger && process.facts.socket !== undefined && !process.answers)
      process.end({ code: 0, signal: undefined });
  }
  world.startExternals();
  await world.advance(500); // whoever was away is back
  const untilMs = world.machine.timeline.nowMs + convergesWithinMs;
  let unwell = notReady(world);
  while (unwell.length > 0 && world.machine.timeline.nowMs < untilMs) {
    startWhatRests(world);
    await world.advance(lookEveryMs);
    unwell = notReady(world);
  }
  if (unwell.length > 0)
    throw new Error(`not ready ${convergesWithinMs} ms after the last fault: ${unwell.join("; ")}`);
  world.trace.add("all are ready");
  return world.machine.timeline.nowMs - fromMs;
}

/** Packages that can be ready and are not, with their state. */
function notReady(world: World): string[] {
  const { control, graph } = world;
  if (control === undefined || isAway(world)) return ["control or the router"];
  const able = ableOf(world);
  return graph.plans.flatMap(({ manifest }) => {
    const runner = control.fleet.runners.get(manifest.name);
    if (runner === undefined || !able.has(manifest.name)) return [];
    if (runner.state === "ready" && serves(world, runner)) return [];
    return [`${manifest.name} is ${runner.state}: ${runner.reason}`];
  });
}

/** One that hangs is ready until its watchdog has found out. */
function serves({ machine }: World, { socket, process }: PackageRunner): boolean {
  const server = machine.sockets.get(socket ?? "");
  return server?.answers === true && (process === undefined || server.pid === process.pid);
}

/** Those that are to run, and whose requirements can be met. */
function ableOf({ graph }: World): ReadonlySet<string> {
  const able = new Set(
    graph.plans.filter(({ initial }) => initial.state === "declared").map((each) => each.manifest.name),
  );
  for (let changed = true; changed; ) {
    changed = false;
    for (const { manifest, requirements } of graph.plans) {
      const met = requirements.every(({ providers }) => providers.some((each) => able.has(each)));
      if (!met && able.delete(manifest.name)) changed = true;
    }
  }
  return able;
}

/** What is down for good by its policy or its own word is started by somebody. Degraded ones say that they are well. */
function startWhatRests({ control }: World): void {
  for (const runner of control?.fleet.runners.values() ?? []) {
    if (runner.state === "stopped" || runner.state === "skipped") runner.dispatch({ type: "start" });
    if (runner.state === "unhealthy") runner.dispatch({ type: "recovered" });
  }
}

/** Each package that is ready answers; no call of before is left. */
async function askEveryone(world: World): Promise<void> {
  // Calls that end only when they are given up may hold every stream that a package allows.
  for (const client of world.clients)
    for (const call of client.open) if (call.method === "Watch") client.cancel(call.id);
  await world.advance(100);
  const routed = new Set(world.graph.routes.values());
  const able = ableOf(world);
  const asked = world.names.filter((name) => routed.has(name) && able.has(name));
  for (const name of asked) if (!world.call(name, "Do", undefined)) throw new Error("the router accepts nobody");
  const last = [...world.calls.values()].slice(-asked.length);
  await world.advance(callWithinMs);
  for (const call of asked.length === 0 ? [] : last) {
    if (call.outcome?.startsWith("status 0") !== true)
      throw new Error(`call ${call.id} to ${call.package}, which is ready: ${call.outcome ?? "no answer"}`);
  }
  for (const call of world.calls.values()) {
    if (call.outcome === undefined) throw new Error(`call ${call.id} to ${call.package} was never answered`);
  }
}

/** Nothing of ours is left. */
async function stopAll(world: World): Promise<void> {
  if (!(await world.stop())) throw new Error("an ordered stop does not come to its end");
  const left = world.instances();
  if (left.length > 0)
    throw new Error(
      `left after a stop: ${left.map(({ facts }) => `${facts.instance?.package}.${facts.instance?.generation}`).join(", ")}`,
    );
}
