import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openPid } from "#linux";
import { ExitRecords } from "../../../supervisor/holder/exit-records.ts";
import { readProcStat } from "../../../supervisor/holder/proc-stat.ts";
import { AdoptedProcess } from "../../../supervisor/process/adopted-process.ts";
import { OutputLog } from "../../../supervisor/process/output-log.ts";
import { identifyProcess } from "../../../supervisor/process/process-identity.ts";
import { killSession, nowInTicks } from "../../../supervisor/process/session.ts";
import { LineWatch } from "../../harness/line-watch.ts";
import { processEnd } from "../../harness/process-end.ts";

const state = mkdtempSync(join(tmpdir(), "bulkhead-adopted-"));
after(() => rmSync(state, { recursive: true }));
const exits = new ExitRecords(state);

let count = 0;

/** A shell in a session of its own, adopted once it has written a line. */
async function adopt(script: string, kill: "group" | "process" = "group") {
  const child = spawn("/bin/sh", ["-c", script], { detached: true, stdio: ["ignore", "pipe", "inherit"] });
  const line = await new LineWatch(child.stdout).waitFor(/./);
  const identity = identifyProcess(child.pid ?? 0);
  assert.ok(identity);
  const output = new OutputLog(join(state, `p.${++count}`), () => {});
  output.handOver();
  const adopted = new AdoptedProcess({ identity, pidfd: openPid(identity.pid), output, kill, state, exits });
  return { child, line, adopted };
}

const ended = (child: ChildProcess): Promise<unknown> => once(child, "exit");

test("its end is seen, and its status comes from what the holder wrote down", async () => {
  const { child, adopted } = await adopt("echo up; read nothing; exec sleep 60");
  exits.append({ pid: adopted.pid, startTime: adopted.identity.startTime, code: 7, signal: undefined });
  const reaped = ended(child);
  adopted.kill();
  assert.deepEqual(await adopted.exited, { code: 7, signal: undefined, lastLine: "" });
  await reaped;
});

test("an end that nobody wrote down is told as unknown", async () => {
  const { child, adopted } = await adopt("echo up; exec sleep 60");
  const reaped = ended(child);
  adopted.terminate();
  assert.deepEqual(await adopted.exited, { code: undefined, signal: undefined, lastLine: "" });
  await reaped;
});

test("its grandchildren go with it, unless they are meant to outlive it", async () => {
  const together = await adopt("sleep 60 & echo $!; wait");
  const reaped = [ended(together.child)];
  together.adopted.kill();
  await together.adopted.exited;
  await processEnd(Number(together.line));
  const apart = await adopt("sleep 60 & echo $!; wait", "process");
  reaped.push(ended(apart.child));
  apart.adopted.kill();
  await apart.adopted.exited;
  assert.ok(identifyProcess(Number(apart.line)));
  process.kill(Number(apart.line), "SIGKILL");
  await Promise.all(reaped);
});

test("a session that began after the end is a stranger's and is left alone", async () => {
  const { child, line, adopted } = await adopt("sleep 60 & echo $!; wait");
  killSession(adopted.pid, Number(readProcStat(Number(line))?.startTime) - 1);
  assert.ok(identifyProcess(Number(line)));
  assert.ok(nowInTicks() >= Number(readProcStat(Number(line))?.startTime));
  const reaped = ended(child);
  adopted.kill();
  await adopted.exited;
  await reaped;
});
