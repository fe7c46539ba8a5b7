import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { clientOf, type Client } from "#rpc";
import { numbersFrom } from "../differential/chance.ts";
import { scaled, within } from "../harness/deadline.ts";
import { skipWithout } from "../harness/peers.ts";
import { asking, persist } from "../harness/persistent-calls.ts";
import { runtimePeers } from "../harness/runtime.ts";
import { ContainerHost, ExitListener } from "../plugins/tasks/container-host.ts";

const skip = skipWithout({ peers: [...runtimePeers], root: true });
const rounds = scaled(50);
const stormMs = Math.max(1, rounds / 50) * 540_000;
const config = "packages: { tasks: { restart: { intensity: 0 } }, metadata: { restart: { intensity: 0 } } }\n";
const sh = (script: string) => ["/bin/sh", "-c", script];

/** The life of a container; one that ends by itself has no exec and is not killed. */
const steps = ["create", "start", "exec", "start exec", "wait for exec", "kill", "wait", "delete"] as const;
type Step = (typeof steps)[number];

/** What one round runs. */
interface Round {
  readonly id: string;
  /** How the first process ends: by itself with a code, or by SIGKILL after an exec has ended with one. */
  readonly kind: "exits" | "is killed";
  readonly code: number;
}

/** How the processes of a round ended. */
interface Ends {
  readonly status: number;
  /** Undefined: none ran. */
  readonly exec: number | undefined;
  /** The answer to the start of the first process was lost. */
  readonly isCutOff: boolean;
}

/** When the steps of a round began, milliseconds; a second start of the same step counts no more. */
class Progress {
  readonly begun = new Map<Step, number>();
  readonly #reached = new Map(steps.map((step) => [step, Promise.withResolvers<void>()]));

  at(step: Step): void {
    if (!this.begun.has(step)) this.begun.set(step, performance.now());
    this.#reached.get(step)?.resolve();
  }

  async reaches(step: Step): Promise<void> {
    await this.#reached.get(step)?.promise;
  }
}

test("no exit is lost, told twice or told wrong, and nothing stays behind, whenever tasks is killed", {
  skip,
  timeout: stormMs,
}, async () => {
  await using host = await ContainerHost.start({ config });
  await using exits = new ExitListener(host);
  // The first one warms the packages up; the second says how long its steps take.
  await runRound(host, { id: "warm-up", kind: "is killed", code: 1 }, new Progress());
  const timed = new Progress();
  await runRound(host, { id: "timed", kind: "is killed", code: 1 }, timed);
  const takesMs = durations(timed, performance.now());
  await exits.waitFor("/tasks/delete", "timed");
  exits.told.splice(0);

  const seed = Number(process.env["BULKHEAD_TEST_SEED"] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}: BULKHEAD_TEST_SEED=${seed} repeats it`);
  const chance = numbersFrom(seed);
  const outcomes = new Map<string, number>();
  for (let turn = 0; turn <= rounds; turn++) {
    const round: Round = { id: `round-${turn}`, kind: chance(3) === 0 ? "exits" : "is killed", code: 2 + chance(100) };
    const victims = chance(4) === 0 ? ["tasks", "metadata"] : ["tasks"];
    const possible = steps.filter((step) => round.kind === "is killed" || !/exec|kill/.test(step));
    const step = possible[chance(possible.length)] ?? "create";
    // A loaded machine is slower than it was at first.
    const afterMs = Math.floor(((takesMs.get(step) ?? 0) * chance(1500)) / 1000);
    // What is told late shows in the round after, so nobody is killed in the last.
    const isLast = turn === rounds;
    const where = `turn ${turn} of seed ${seed}: ${round.kind}, ${victims.join(" and ")} killed ${afterMs} ms after "${step}"`;
    const progress = new Progress();
    const running = runRound(host, round, progress);
    const ended = running.catch(() => undefined); // heard below
    await Promise.race([progress.reaches(step), ended]);
    // Not a wait for anything: the moment itself is what is tried.
    await delay(afterMs);
    if (!isLast) await Promise.all(victims.map((name) => host.kill(name)));
    try {
      const ends = await within(where, running, 60_000);
      assertTrue(host, round, ends);
      await assertTold(exits, round, ends);
      await host.assertNothingRemains(where);
      const outcome = `${ends.isCutOff ? "start cut off, " : ""}ended ${ends.status === codeOf(round) ? "as meant" : "of it"}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (cause) {
      throw new Error(`${where}: ${(cause as Error).message}\n${host.daemon.child.output.text}`, { cause });
    }
  }
  for (const [outcome, count] of outcomes) console.log(`${count} × ${outcome}`);
});

/** How long each step took, milliseconds. */
function durations({ begun }: Progress, endedAt: number): ReadonlyMap<Step, number> {
  const times = [...begun];
  return new Map(times.map(([step, from], index) => [step, (times[index + 1]?.[1] ?? endedAt) - from]));
}

/** A container from its creation to its deletion; a step whose answer was lost is asked again. */
async function runRound(host: ContainerHost, { id, kind, code }: Round, progress: Progress): Promise<Ends> {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  const { scope } = host;
  const rest = kind === "exits" ? `exit ${code}` : "exec sleep 1000";
  await persist(() => host.container(id, sh(`echo >/tmp/${id}; ${rest}`)), /already exists/);
  const rootfs = [{ type: "bind", source: host.folder.join("rootfs"), options: ["rbind", "rw"] }];
  progress.at("create");
  await persist(() => tasks.create({ containerId: id, rootfs }, scope), /task \S+: already exists/);
  const wait = asking(() => tasks.wait({ containerId: id }, scope));
  progress.at("start");
  const started = await persist(() => tasks.start({ containerId: id }, scope), /cannot start|already dead/);
  let ran = kind === "is killed";
  if (ran) {
    ran = await runExec(tasks, { id, code, scope, progress }).then(() => true, unlessStopped);
    progress.at("kill");
    if (ran) await persist(() => tasks.kill({ containerId: id, signal: 9 }, scope), /process already finished/);
  }
  progress.at("wait");
  const status = (await wait).exitStatus;
  progress.at("delete");
  await persist(() => tasks.delete({ containerId: id }, scope), /not found/);
  await persist(() => host.forget(id), /not found/);
  return { status, exec: ran ? code : undefined, isCutOff: started.lost };
}

interface ExecRequest {
  readonly id: string;
  readonly code: number;
  readonly scope: ContainerHost["scope"];
  readonly progress: Progress;
  readonly execId?: string;
}

async function runExec(tasks: Client<typeof Tasks>, request: ExecRequest): Promise<void> {
  const { id, code, scope, progress, execId = "e" } = request;
  const process = { args: sh(`exit ${code}`), cwd: "/", user: { uid: 0, gid: 0 } };
  const spec = {
    typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process",
    value: Buffer.from(JSON.stringify(process)),
  };
  const name = { containerId: id, execId };
  progress.at("exec");
  await persist(() => tasks.exec({ ...name, spec }, scope), /already exists/);
  const wait = asking(() => tasks.wait(name, scope));
  progress.at("start exec");
  const { done } = await persist(() => tasks.start(name, scope), /cannot start|cut off/);
  progress.at("wait for exec");
  const { exitStatus } = await wait;
  // Of one whose start was cut off nobody can tell what became of it, and the shim would die of another start.
  const isCutOff = done?.includes("cut off") === true;
  if (!isCutOff) assert.equal(exitStatus, code, "of the exec");
  await persist(() => tasks.deleteProcess(name, scope), /not found/);
  if (isCutOff) await runExec(tasks, { ...request, execId: `${execId}e` });
}

/** What the first process ends with when it comes to run. */
function codeOf({ kind, code }: Round): number {
  return kind === "exits" ? code : 137;
}

/**
 * The first process ends with its own code. But for one reason, as under containerd: its shim kills runc when the
 * connection of who asked for a start ends, and what was being started may end with it, before its program runs.
 */
function assertTrue(host: ContainerHost, round: Round, { status, isCutOff }: Ends): void {
  if (isCutOff && !existsSync(host.folder.join(`rootfs/tmp/${round.id}`))) return;
  assert.equal(status, codeOf(round));
}

/** The same, seen by who wants to exec: the container's process has ended. */
function unlessStopped(error: unknown): false {
  if (error instanceof Error && error.message.includes("cannot exec in a stopped state")) return false;
  throw error;
}

/** Exactly one exit of each process, with its code, and one deletion. */
async function assertTold(exits: ExitListener, { id }: Round, { status, exec }: Ends): Promise<void> {
  await exits.waitFor("/tasks/exit", id);
  await exits.waitFor("/tasks/delete", id);
  const mine = exits.told
    .splice(0)
    .map(({ topic, id: name, exitStatus }) => `${topic} ${name.replace(/^e+$/, "e")} ${exitStatus}`);
  const expected = [`/tasks/delete ${id} ${status}`, `/tasks/exit ${id} ${status}`];
  if (exec !== undefined) expected.push(`/tasks/exit e ${exec}`);
  assert.deepEqual(mine.toSorted(), expected.toSorted());
}
