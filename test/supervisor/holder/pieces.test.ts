import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { ExitRecords, signalName } from "../../../supervisor/holder/exit-records.ts";
import { parseFlags } from "../../../supervisor/holder/flags.ts";
import { Heartbeat } from "../../../supervisor/holder/heartbeat.ts";
import { joinCgroup } from "../../../supervisor/holder/kernel-limits.ts";
import { LineChannel } from "../../../supervisor/holder/line-channel.ts";
import { restartDelayMs } from "../../../supervisor/holder/restart-delay.ts";
import { within } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

test("a part that had been ready starts at once, others after 100 ms doubling to 5 s", () => {
  assert.deepEqual([0, 1, 2, 3, 6, 7, 100].map(restartDelayMs), [0, 100, 200, 400, 3200, 5000, 5000]);
});

test("flags stand before or after the word, the last one wins, empty ones count as absent", () => {
  const flags = (...args: string[]): unknown => {
    const request = parseFlags(args);
    return request.kind === "run" ? request.flags : request.kind;
  };
  assert.deepEqual(flags(), {});
  assert.deepEqual(flags("-c", "a", "daemon", "--root=/r", "-l", "debug"), {
    config: "a",
    root: "/r",
    logLevel: "debug",
  });
  assert.deepEqual(flags("--address", "", "--state", "/1", "--state", "/2"), { state: "/2" });
  assert.equal(flags("daemon", "-h"), "help");
  assert.throws(() => flags("daemon", "daemon"), /unexpected argument "daemon"/);
});

test("an exit is found by pid and start time, the newest first, codes and signals alike", async () => {
  await using folder = await makeTempFolder("h");
  const records = new ExitRecords(folder.path);
  assert.equal(records.find(1, "2"), undefined);
  records.append({ pid: 1, startTime: "2", code: 0, signal: undefined });
  records.append({ pid: 11, startTime: "2", code: 4, signal: undefined });
  records.append({ pid: 1, startTime: "2", code: undefined, signal: "SIGKILL" });
  assert.deepEqual(records.find(1, "2"), { pid: 1, startTime: "2", code: undefined, signal: "SIGKILL" });
  assert.deepEqual(records.find(11, "2"), { pid: 11, startTime: "2", code: 4, signal: undefined });
  assert.equal(records.find(1, "3"), undefined);
  assert.deepEqual([signalName(9), signalName(40)], ["SIGKILL", "SIG40"]);
});

test("exits beyond 1 MiB lose their older half, at a line's end", async () => {
  await using folder = await makeTempFolder("h");
  const records = new ExitRecords(folder.path);
  appendFileSync(folder.join("exits"), "10 20 0\n".repeat(131_072));
  records.append({ pid: 99, startTime: "1", code: 5, signal: undefined });
  assert.ok(statSync(folder.join("exits")).size <= 512 * 1024);
  assert.equal(records.find(99, "1")?.code, 5);
  assert.match(readFileSync(folder.join("exits"), "utf8"), /^10 20 0\n/);
});

/** Both ends of a stream in memory. */
function streamPair(): [Duplex, Duplex] {
  const [one, other] = [new Duplex(), new Duplex()];
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from._read = () => {};
    from._write = (chunk: Buffer, _, done) => {
      to.push(chunk);
      done();
    };
    from._final = (done) => {
      to.push(null);
      done();
    };
  }
  return [one, other];
}

test("messages cross a channel whole, however they are cut, and a line that is no JSON closes it", async () => {
  const [raw, far] = streamPair();
  const messages: unknown[] = [];
  const closed = Promise.withResolvers<string>();
  const channel = new LineChannel<unknown, unknown>(far, {
    onMessage: (message) => messages.push(message),
    onClosed: closed.resolve,
  });
  const text = Buffer.from('{"a":"é"}\n{"b":2}\n{"c"');
  for (const byte of text) raw.write(Buffer.of(byte));
  raw.write(":3}\nnonsense\n");
  assert.match(await closed.promise, /not a JSON line/);
  assert.deepEqual(messages, [{ a: "é" }, { b: 2 }, { c: 3 }]);
  channel.send("dropped quietly");
});

test("a process that answered once and then sleeps is stalled after the misses", async () => {
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  const stalled = Promise.withResolvers<string>();
  let pings = 0;
  using heartbeat = new Heartbeat(
    { intervalMs: 20, misses: 3, busyMisses: 1000, startLimitMs: 10_000 },
    { pid: child.pid ?? 0, ping: () => (pings += 1), stalled: stalled.resolve },
  );
  heartbeat.answered();
  assert.match(await within("the stall", stalled.promise), /3 pings in a row without an answer/);
  // More where this process was itself held up.
  assert.ok(pings >= 4, `${pings} pings`);
  child.kill("SIGKILL");
  await once(child, "exit");
});

test("a process that is busy is given longer than one that sleeps", async () => {
  const child = spawn("sh", ["-c", "while :; do :; done"]);
  await once(child, "spawn");
  const stalled = Promise.withResolvers<string>();
  using heartbeat = new Heartbeat(
    { intervalMs: 20, misses: 2, busyMisses: 10, startLimitMs: 10_000 },
    { pid: child.pid ?? 0, ping: () => {}, stalled: stalled.resolve },
  );
  heartbeat.answered();
  assert.match(await within("the stall", stalled.promise), /^(\d\d+) pings/);
  child.kill("SIGKILL");
  await once(child, "exit");
});

test("a process that was stopped is found by looks, whatever pings say", async () => {
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  const stalled = Promise.withResolvers<string>();
  using heartbeat = new Heartbeat(
    { intervalMs: 60_000, misses: 3, busyMisses: 3, startLimitMs: 10_000, lookMs: 20 },
    { pid: child.pid ?? 0, ping: () => {}, stalled: stalled.resolve },
  );
  heartbeat.answered();
  child.kill("SIGSTOP");
  assert.equal(await within("the stall", stalled.promise), "it was stopped");
  child.kill("SIGKILL");
  await once(child, "exit");
});

test("a process that never answers is stalled after its start limit", async () => {
  const stalled = Promise.withResolvers<string>();
  using _ = new Heartbeat(
    { intervalMs: 1000, misses: 3, busyMisses: 3, startLimitMs: 30 },
    { pid: process.pid, ping: () => {}, stalled: stalled.resolve },
  );
  assert.match(await within("the stall", stalled.promise), /no answer within 30 ms of its start/);
});

test("version 1 cgroups are made with their parent's cpus and memory nodes, and joined in every hierarchy", async () => {
  await using folder = await makeTempFolder("h");
  for (const name of ["cpuset", "memory"]) {
    mkdirSync(folder.join(name, "our/group"), { recursive: true });
    writeFileSync(folder.join(name, "cgroup.clone_children"), "0");
    writeFileSync(folder.join(name, "our/group/cgroup.procs"), "");
  }
  for (const [file, value] of [
    ["cpuset.cpus", "0-1"],
    ["cpuset/our/cpuset.cpus", ""],
    ["cpuset/our/group/cpuset.cpus", "\n"],
  ] as const) {
    writeFileSync(folder.join(file.includes("/") ? file : `cpuset/${file}`), value);
  }
  joinCgroup("/our/group", folder.path);
  for (const name of ["cpuset", "memory"]) {
    assert.equal(readFileSync(folder.join(name, "our/group/cgroup.procs"), "utf8"), String(process.pid));
  }
  assert.equal(readFileSync(folder.join("cpuset/our/group/cpuset.cpus"), "utf8"), "0-1");
});

test("a cgroup that cannot be joined is a failure with what to do", async () => {
  await using folder = await makeTempFolder("h");
  assert.throws(() => joinCgroup("/x", folder.path), /cannot join cgroup \/x: no cgroups are mounted.*\[cgroup\]/);
  joinCgroup("", "/nonexistent");
});
