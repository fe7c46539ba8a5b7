import assert from "node:assert/strict";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { clientOf } from "#rpc";
import { processEnd } from "../../test/harness/process-end.ts";
import { ContainerHost } from "../../test/plugins/tasks/container-host.ts";
import { makePacked } from "./packed.ts";
import { median, type Row } from "./report.ts";

const rounds = 7;
/** Made at once. */
const lanes = 4;
const config = "packages: { tasks: { restart: { intensity: 0 } } }\n";

/** How soon after a kill -9 of tasks, installed, a client is told of every running container again. */
export async function measureReattach(containers = 100): Promise<readonly Row[]> {
  await using packed = await makePacked();
  await using host = await ContainerHost.start({ config, command: packed.command });
  await runSleepers(host, containers);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await reattachMs(host, containers));
  return [
    {
      what: `tasks killed to ${containers} containers listed again, installed`,
      unit: "ms",
      stock: undefined,
      ours: median(times),
      bound: { ours: 500 },
      lessIsBetter: true,
    },
  ];
}

/** Starts that many containers of a static program that does nothing. */
export async function runSleepers(host: ContainerHost, count: number): Promise<void> {
  const run = (index: number) => host.run(`sleeper-${index}`, ["/bin/sleep", "100000"]);
  await run(0); // makes what all are made by
  const turns = Array.from({ length: count - 1 }, (_, index) => index + 1).values();
  const lane = async (): Promise<void> => {
    for (const index of turns) await run(index);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** Milliseconds from a kill of tasks until a client that asks meanwhile is told that all containers run. */
export async function reattachMs(host: ContainerHost, count: number): Promise<number> {
  const victim = await host.pidOf("tasks");
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await tasks.list({}, host.scope);
  const killedMs = performance.now();
  process.kill(victim, "SIGKILL");
  await processEnd(victim);
  const { tasks: listed } = await tasks.list({}, host.scope);
  const tookMs = performance.now() - killedMs;
  const running = listed.filter(({ status }) => status === Status.RUNNING);
  assert.equal(running.length, count);
  return tookMs;
}
