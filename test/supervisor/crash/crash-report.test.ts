import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultCrashLimits } from "../../../supervisor/config/config-defaults.ts";
import { crashFileText, readCrashFile, type CrashFacts } from "../../../supervisor/crash/crash-report.ts";

const facts: CrashFacts = {
  package: "acme",
  version: "1.2.3",
  generation: 7,
  pid: 4711,
  state: "ready",
  cause: "killed by SIGSEGV, secret=abcdef",
  code: -1,
  signal: "SIGSEGV",
  oomKilled: false,
  atMs: 1_700_000_000_123,
  livedMs: 1500,
  calls: { openCalls: 2, calls: [{ method: "/acme.v1.Thing/Get", ageMs: 5, caller: "uid:0" }] },
  usage: [{ atMs: 1_700_000_000_000, residentBytes: 4096, cpuSeconds: 0.5, groupBytes: undefined }],
  memoryPeakBytes: undefined,
  manifestHash: "aa",
  configHash: "bb",
  lastGoodGeneration: 6,
  changes: ["the manifest"],
  lines: ["one", "two: sesame"],
};

test("a report is read back as it was written, secrets hidden", () => {
  const report = readCrashFile(crashFileText(facts, ["sesame"], defaultCrashLimits));
  assert.deepEqual([report.package, report.generation, report.openCalls, report.livedMs], ["acme", 7n, 2n, 1500n]);
  assert.equal(report.cause, "killed by SIGSEGV, secret=(hidden)");
  assert.deepEqual(report.lines, ["one", "two: (hidden)"]);
  assert.deepEqual(
    [report.exit?.signal, report.calls[0]?.method, report.changes],
    ["SIGSEGV", "/acme.v1.Thing/Get", ["the manifest"]],
  );
});

test("without the router the calls are not known, which is not the same as none", () => {
  assert.equal(
    readCrashFile(crashFileText({ ...facts, calls: undefined }, [], defaultCrashLimits)).openCalls,
    undefined,
  );
});

test("a report keeps to its size: the oldest lines are left out first, and counted", () => {
  const lines = Array.from({ length: 200 }, (_, index) => `${index} ${"\u0001é".repeat(3000)}`);
  const limits = { ...defaultCrashLimits, fileBytes: 256 * 1024 };
  const text = crashFileText({ ...facts, lines }, [], limits);
  assert.ok(Buffer.byteLength(text) <= limits.fileBytes, `${Buffer.byteLength(text)} bytes`);
  const report = readCrashFile(text);
  assert.ok(report.lines.length > 5);
  assert.equal(report.lines.at(-1), lines.at(-1));
  assert.equal(report.lines.length + report.linesLeftOut, 200);
});

test("lines and calls are bounded by number, too; 0 keeps none", () => {
  const lines = ["a", "b", "c"];
  const calls = {
    openCalls: 9,
    calls: Array.from({ length: 9 }, () => ({ method: `/${"m".repeat(999)}`, ageMs: 1, caller: "x" })),
  };
  const some = readCrashFile(
    crashFileText({ ...facts, lines, calls }, [], { ...defaultCrashLimits, lines: 2, calls: 3 }),
  );
  assert.deepEqual(
    [some.lines, some.linesLeftOut, some.calls.length, some.calls[0]?.method.length],
    [["b", "c"], 1, 3, 256],
  );
  const none = readCrashFile(
    crashFileText({ ...facts, lines, calls }, [], { ...defaultCrashLimits, lines: 0, calls: 0 }),
  );
  assert.deepEqual([none.lines, none.linesLeftOut, none.calls, none.openCalls], [[], 3, [], 9n]);
});
