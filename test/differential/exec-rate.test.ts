import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { ctr } from "../harness/ctr.ts";
import { skipWithout } from "../harness/peers.ts";
import { makeRootfs, removeRuncFolders, runtimePath, runtimePeers } from "../harness/runtime.ts";
import { startStock, type Daemon } from "../harness/stock-daemon.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

/** As many short-lived execs as the stock daemon sustains, loosely: the machine may be busy with other tests. */

const skip = skipWithout({ peers: ["containerd", ...runtimePeers], root: true });
const area = "exec-rate";
const clients = 8;
/** Execs of one round, all clients together. */
const perRound = 32;
const rounds = 2;
/** How many times as long ours may take, at most. */
const slack = 2.5;

const value = Buffer.from(JSON.stringify({ args: ["/bin/true"], cwd: "/", user: { uid: 0, gid: 0 } }));
const owned = new AsyncDisposableStack();
const daemons: { readonly daemon: Daemon; readonly namespace: string }[] = [];

before(async () => {
  if (skip !== false) return;
  const folder = owned.use(await makeTempFolder("er"));
  await makeRootfs(folder.join("rootfs"));
  const env = { PATH: runtimePath() };
  daemons.push({ daemon: owned.use(await startStock({ env })), namespace: `${area}-a` });
  daemons.push({ daemon: owned.use(await startBulkhead({ env })), namespace: `${area}-b` });
  for (const each of daemons)
    await run(each, "run", "-d", "--null-io", "--rootfs", folder.join("rootfs"), "c", "/bin/sleep", "1000");
});
after(async () => {
  for (const each of daemons) await run(each, "task", "rm", "-f", "c");
  await owned.disposeAsync();
  if (skip === false) await removeRuncFolders(`${area}-`);
});

async function run({ daemon, namespace }: (typeof daemons)[number], ...words: readonly string[]): Promise<void> {
  const { code, stderr } = await ctr(daemon.address, words, { namespace });
  assert.equal(code, 0, `${daemon.name}: ctr ${words.join(" ")}: ${stderr}`);
}

/** Milliseconds that one round takes. */
async function timeRound({ daemon, namespace }: (typeof daemons)[number], round: number): Promise<number> {
  using channel = connect(daemon.address);
  const tasks = clientOf(Tasks, channel);
  const scope = { metadata: { "containerd-namespace": namespace } };
  const turns = Array.from({ length: perRound }, (_, at) => `e${round}-${at}`).values();
  const client = async (): Promise<void> => {
    for (const execId of turns) {
      const name = { containerId: "c", execId };
      await tasks.exec({ ...name, spec: { typeUrl: "x", value } }, scope);
      await tasks.start(name, scope);
      assert.equal((await tasks.wait(name, scope)).exitStatus, 0);
      await tasks.deleteProcess(name, scope);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: clients }, client));
  return performance.now() - startedAt;
}

test("short-lived execs by eight clients are as many as the stock daemon sustains", {
  skip,
  timeout: 300_000,
}, async (t) => {
  const times = daemons.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, each] of daemons.entries()) times[index]?.push(await timeRound(each, round));
  }
  const [stock = 0, ours = 0] = times.map((all) => Math.min(...all));
  t.diagnostic(`execs a minute: stock ${rateOf(stock)}, ours ${rateOf(ours)}`);
  assert.ok(ours <= stock * slack, `${perRound} execs took ours ${ours} ms, stock ${stock} ms`);
  using channel = connect(daemons[1]?.daemon.address ?? "");
  const scope = { metadata: { "containerd-namespace": `${area}-b` } };
  const { processes } = await clientOf(Tasks, channel).listPids({ containerId: "c" }, scope);
  assert.equal(processes.length, 1);
});

function rateOf(ms: number): number {
  return Math.round((perRound / ms) * 60_000);
}
