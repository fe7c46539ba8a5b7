import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { clientOf, type Client } from "#rpc";
import { numbersFrom } from "../differential/chance.ts";
import { scaled, within } from "../harness/deadline.ts";
import { skipWithout } from "../harness/peers.ts";
import { runtimePeers } from "../harness/runtime.ts";
import { ContainerHost, ExitListener } from "../plugins/tasks/container-host.ts";

const skip = skipWithout({ peers: [...runtimePeers], root: true });
const rounds = scaled(50);
const stormMs = 900_000;
/** Calls of one step before it counts as lost; each may meet a package that is about to start again. */
const tries = 6;
const config = "packages: { tasks: { restart: { intensity: 0 } }, metadata: { restart: { intensity: 0 } } }\n";
const sh = (script: string) => ["/bin/sh", "-c", script];

/** What one round runs. */
interface Round {
  readonly id: string;
  /** How the first process ends: by itself with a code, or by SIGKILL after an exec has ended with one. */
  readonly kind: "exits" | "is killed";
  readonly code: number;
}

test("no exit is lost, told twice or told wrong, and nothing stays behind, whenever tasks is killed", {
  skip,
  timeout: stormMs,
}, async () => {
  await using host = await ContainerHost.start({ config });
  await using exits = new ExitListener(host);
  // The first one warms the packages up and says how long one takes.
  await runRound(host, { id: "warm-up", kind: "is killed", code: 1 });
  const started = performance.now();
  await runRound(host, { id: "timed", kind: "is killed", code: 1 });
  const roundMs = performance.now() - started;
  await exits.waitFor("/tasks/delete", "timed");
  exits.told.splice(0);

  const seed = Number(process.env["BULKHEAD_TEST_SEED"] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}: BULKHEAD_TEST_SEED=${seed} repeats it; a round takes ${Math.round(roundMs)} ms`);
  const chance = numbersFrom(seed);
  for (let turn = 0; turn < rounds; turn++) {
    const kind = chance(3) === 0 ? "exits" : "is killed";
    const round: Round = { id: `round-${turn}`, kind, code: 2 + chance(100) };
    const afterMs = Math.floor(chance(1000) * (roundMs / 1000));
    const both = chance(4) === 0;
    const where = `turn ${turn}: ${kind}, tasks ${both ? "and metadata " : ""}killed after ${afterMs} ms`;
    const running = runRound(host, round);
    running.catch(() => undefined); // heard below
    // Not a wait for anything: the moment itself is what is tried.
    await delay(afterMs);
    await Promise.all([host.kill("tasks"), both ? host.kill("metadata") : undefined]);
    try {
      await within(where, running, 60_000);
      await assertTold(exits, round);
      await host.assertNothingRemains(where);
    } catch (cause) {
      throw new Error(`${where}: ${(cause as Error).message}\n${host.daemon.child.output.text}`, { cause });
    }
  }
});

/** A container from its creation to its deletion; a step whose answer was lost is asked again. */
async function runRound(host: ContainerHost, { id, kind, code }: Round): Promise<void> {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  const { scope } = host;
  const command = kind === "exits" ? sh(`exit ${code}`) : ["/bin/sleep", "1000"];
  await persist(() => host.container(id, command), /already exists/);
  await persist(() => tasks.create({ containerId: id }, scope), /task \S+: already exists/);
  const wait = asking(() => tasks.wait({ containerId: id }, scope));
  await persist(() => tasks.start({ containerId: id }, scope), /cannot start/);
  if (kind === "is killed") {
    await runExec(tasks, id, code, scope);
    await persist(() => tasks.kill({ containerId: id, signal: 9 }, scope), /process already finished/);
  }
  assert.equal((await wait).exitStatus, kind === "exits" ? code : 137);
  await persist(() => tasks.delete({ containerId: id }, scope), /not found/);
  await persist(() => host.forget(id), /not found/);
}

async function runExec(
  tasks: Client<typeof Tasks>,
  id: string,
  code: number,
  scope: ContainerHost["scope"],
  execId = "e",
): Promise<void> {
  const process = { args: sh(`exit ${code}`), cwd: "/", user: { uid: 0, gid: 0 } };
  const spec = {
    typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process",
    value: Buffer.from(JSON.stringify(process)),
  };
  const name = { containerId: id, execId };
  await persist(() => tasks.exec({ ...name, spec }, scope), /already exists/);
  const wait = asking(() => tasks.wait(name, scope));
  const started = await persist(() => tasks.start(name, scope), /cannot start|cut off/);
  if (started?.includes("cut off") === true) {
    // Nobody can tell what became of it, and the shim would die of another start.
    await wait;
    await persist(() => tasks.deleteProcess(name, scope), /not found/);
    return runExec(tasks, id, code, scope, `${execId}e`);
  }
  assert.equal((await wait).exitStatus, code, "of the exec");
  await persist(() => tasks.deleteProcess(name, scope), /not found/);
}

/** Exactly one exit of each process, with its code, and one deletion. */
async function assertTold(exits: ExitListener, { id, kind, code }: Round): Promise<void> {
  await exits.waitFor("/tasks/exit", id);
  await exits.waitFor("/tasks/delete", id);
  const mine = exits.told
    .splice(0)
    .map(({ topic, id: name, exitStatus }) => `${topic} ${name.replace(/^e+$/, "e")} ${exitStatus}`);
  const status = kind === "exits" ? code : 137;
  const expected = [`/tasks/delete ${id} ${status}`, `/tasks/exit ${id} ${status}`];
  if (kind === "is killed") expected.push(`/tasks/exit e ${code}`);
  assert.deepEqual(mine.toSorted(), expected.toSorted());
}

/** Asks until it is answered; that it had been done before, only not answered, is an answer, too, and given. */
async function persist(ask: () => Promise<unknown>, done: RegExp): Promise<string | undefined> {
  for (let turn = 1; ; turn++) {
    try {
      await ask();
      return undefined;
    } catch (error) {
      if (turn > 1 && error instanceof Error && done.test(error.message)) return error.message;
      if (turn === tries || !isLost(error)) throw error;
    }
  }
}

/** A call that changes nothing: its answer is the same, however often it is asked. */
function asking<T>(ask: () => Promise<T>): Promise<T> {
  const answer = askAgain(ask);
  answer.catch(() => undefined); // heard where it is awaited
  return answer;
}

async function askAgain<T>(ask: () => Promise<T>): Promise<T> {
  for (let turn = 1; ; turn++) {
    try {
      return await ask();
    } catch (error) {
      if (turn === tries || !isLost(error)) throw error;
    }
  }
}

function isLost(error: unknown): boolean {
  return error instanceof HostError && error.kind === "unavailable";
}
