import type { Method } from "./calls/sim-client.ts";
import type { SimProcess } from "./machine/sim-process.ts";
import type { World } from "./world.ts";

/** How likely each thing is, relative to the others. */
const weights = {
  calls: 30,
  exit: 8,
  hang: 3,
  stop: 3,
  "control dies": 6,
  "router dies": 3,
  "both die": 1,
  reboot: 1,
  "corrupt record": 2,
  "config changes": 2,
  "wall clock jumps": 3,
  "machine is suspended": 2,
  "everything stands still": 2,
  "control stands still": 2,
  "disk is full": 2,
  "disk has room": 4,
  restart: 4,
  "external dies": 3,
  "external comes": 4,
  "stranger comes": 4,
  "stranger goes": 3,
  degraded: 3,
  cancel: 2,
} as const;

type Fault = keyof typeof weights;

const longestAwayMs = 400;
const longestHoldMs = 6000;
const longestJumpMs = 3_600_000;

/** Has one thing of all that may happen to a host happen. */
export function happen(world: World): void {
  const fault = world.chance.weighted(weights);
  world.count(fault);
  if (fault !== "calls") world.trace.add(`: ${fault}`);
  actions[fault](world);
}

const actions: Readonly<Record<Fault, (world: World) => void>> = {
  calls: (world) => {
    for (let left = world.chance.between(1, 6); left > 0; left--) call(world);
  },
  exit: (world) => anInstance(world)?.end({ code: undefined, signal: "SIGKILL" }),
  hang: (world) => anInstance(world)?.hang(),
  stop: (world) => anInstance(world)?.stop(),
  "control dies": (world) => {
    world.killControl(awayMs(world));
    // What happens while nobody watches is what adoption must tell apart.
    for (const process of world.instances()) if (world.chance.happens(0.25)) whileControlIsAway(world, process);
  },
  "router dies": (world) => world.killRouter(awayMs(world)),
  "both die": (world) => {
    world.killControl(awayMs(world));
    world.killRouter(awayMs(world));
  },
  reboot: (world) => {
    const before = world.instances().map(({ identity }) => identity);
    world.killControl(awayMs(world));
    world.killRouter(awayMs(world));
    world.machine.reboot();
    // Pids and start times of the last boot come again.
    for (const { pid, startTime } of before) if (world.chance.happens(0.5)) world.startStranger(pid, startTime);
  },
  "corrupt record": corruptRecord,
  "config changes": (world) => {
    world.changeConfig();
    world.killControl(awayMs(world));
  },
  "wall clock jumps": (world) => {
    world.machine.timeline.jumpWall(world.chance.between(-longestJumpMs, longestJumpMs));
  },
  "machine is suspended": (world) => world.machine.timeline.jumpWall(world.chance.between(1000, longestJumpMs)),
  "everything stands still": (world) => {
    world.machine.timeline.freeze(world.chance.between(100, longestHoldMs));
    world.invariants.disturbed(world.machine.timeline.nowMs);
  },
  "control stands still": (world) => {
    const { control } = world;
    if (control === undefined) return;
    control.life.stall(world.chance.between(100, longestHoldMs));
    world.invariants.disturbed(control.life.stalledUntilMs);
  },
  "disk is full": (world) => (world.machine.disk.full = true),
  "disk has room": (world) => (world.machine.disk.full = false),
  restart: (world) => {
    const { control, chance } = world;
    // It rejects with why it did not get ready, which is no news here.
    void control?.fleet.restart(chance.pick(world.names) ?? "", AbortSignal.any([])).catch(() => {});
  },
  "external dies": (world) => aStranger(world, true)?.end({ code: 1, signal: undefined }),
  "external comes": (world) => world.startExternals(),
  "stranger comes": (world) => {
    if (world.machine.processes.size < 24) world.startStranger();
  },
  "stranger goes": (world) => aStranger(world, false)?.end({ code: 0, signal: undefined }),
  degraded: (world) => {
    const runner = world.control?.fleet.runners.get(world.chance.pick(world.names) ?? "");
    if (world.chance.happens(0.5)) runner?.dispatch({ type: "degraded", reason: "says so" });
    else runner?.dispatch({ type: "recovered" });
  },
  cancel: (world) => {
    const client = world.chance.pick(world.clients);
    const call = world.chance.pick(client?.open ?? []);
    if (call !== undefined) client?.cancel(call.id);
  },
};

function call(world: World): void {
  const { chance } = world;
  const method = chance.weighted<Method>({ Do: 5, Get: 3, Watch: 1 });
  const timeoutMs = chance.happens(0.4) ? chance.between(20, 3000) : undefined;
  world.call(chance.pick(world.names) ?? "", method, timeoutMs);
}

function whileControlIsAway(world: World, process: SimProcess): void {
  const { chance } = world;
  const { pid } = process;
  switch (chance.weighted({ exit: 4, reuse: 4, hang: 2, corrupt: 1, exec: 1 })) {
    case "exit":
      return process.end({ code: chance.between(0, 1), signal: undefined });
    case "reuse":
      process.end({ code: undefined, signal: "SIGKILL" });
      process.life.timeline.after(chance.between(11, 40), () => world.startStranger(pid));
      return;
    case "hang":
      return process.hang();
    case "corrupt":
      return corruptRecord(world);
    case "exec":
      return process.exec();
  }
}

function corruptRecord(world: World): void {
  const { chance } = world;
  const { disk } = world.machine;
  const name = chance.pick(disk.names("/state/records"));
  if (name === undefined) return;
  const path = `/state/records/${name}`;
  const text = disk.read(path);
  const corrupt = [text.slice(0, text.length >> 1), "", "not json\n", text.replace(/"pid":\d+/, '"pid":1'), "{}\n"];
  disk.files.set(path, chance.pick(corrupt) ?? "");
}

function anInstance(world: World): SimProcess | undefined {
  return world.chance.pick(world.instances());
}

function aStranger(world: World, external: boolean): SimProcess | undefined {
  const strangers = [...world.machine.processes.values()].filter(
    ({ isStranger, facts }) => isStranger && (facts.socket !== undefined) === external,
  );
  return world.chance.pick(strangers);
}

function awayMs(world: World): number {
  // Now and then the holder is gone, too, and the next daemon takes its time.
  return world.chance.happens(0.1) ? world.chance.between(1000, 20_000) : world.chance.between(5, longestAwayMs);
}
