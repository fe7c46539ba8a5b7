import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { signalPidfd } from "#linux";
import { identifyProcess } from "../../../supervisor/process/process-identity.ts";
import { proveInstance } from "../../../supervisor/process/prove-instance.ts";
import { type InstanceRecord, InstanceRecords } from "../../../supervisor/process/records.ts";
import { LineWatch } from "../../harness/line-watch.ts";

const folder = mkdtempSync(join(tmpdir(), "bulkhead-prove-"));
const children: ChildProcess[] = [];
after(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  rmSync(folder, { recursive: true });
});

const server = `
const { createServer } = require("node:net");
createServer().listen(process.argv[1], () => console.log("listening"));
`;

let count = 0;

/** A process that listens on a socket, and the record that is true of it. */
async function listening(): Promise<{ child: ChildProcess; record: InstanceRecord }> {
  const socket = join(folder, `${++count}.sock`);
  const child = spawn(process.execPath, ["-e", server, socket], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await new LineWatch(child.stdout).waitFor(/listening/);
  const identity = identifyProcess(child.pid ?? 0);
  assert.ok(identity);
  return { child, record: recordOf({ ...identity, socket }) };
}

function recordOf(parts: Partial<InstanceRecord>): InstanceRecord {
  return {
    pid: process.pid,
    startTime: "1",
    bootId: "",
    exeInode: 0,
    package: "acme",
    generation: 3,
    firstGeneration: 1,
    socket: "/nowhere.sock",
    ready: true,
    sinceMs: 0,
    kill: "group",
    graceMs: 0,
    configHash: "",
    nonce: "",
    ...parts,
  };
}

/** The proof's kind and reason; its pidfd is closed. */
function prove(record: InstanceRecord): string {
  const proof = proveInstance(record);
  if ("pidfd" in proof) closeSync(proof.pidfd);
  return "reason" in proof ? `${proof.kind}: ${proof.reason}` : proof.kind;
}

test("a process that is what its record says, and serves its socket, is proved", async () => {
  const { record } = await listening();
  assert.equal(prove(record), "proved");
});

test("the pidfd of a proof means exactly that process", async () => {
  const { child, record } = await listening();
  const proof = proveInstance(record);
  assert.ok(proof.kind === "proved");
  signalPidfd(proof.pidfd, "SIGKILL");
  closeSync(proof.pidfd);
  assert.deepEqual(await once(child, "exit"), [null, "SIGKILL"]);
  assert.equal(prove(record), "gone: it has ended");
});

test("a record of another boot is told apart, though pid and start time may fit", async () => {
  const { record } = await listening();
  assert.equal(prove({ ...record, bootId: "another" }), "gone: the record is of another boot");
});

test("a pid that is another process's by now is told apart", async () => {
  const { record } = await listening();
  assert.match(prove({ ...record, startTime: "1" }), /^gone: pid \d+ is another process's by now$/);
});

test("a process that runs another program is a stranger", async () => {
  const { record } = await listening();
  assert.match(prove({ ...record, exeInode: record.exeInode + 1 }), /^stranger: pid \d+ does not run/);
});

test("a socket that another process serves proves nothing", async () => {
  const { record } = await listening();
  const other = await listening();
  assert.match(
    prove({ ...record, socket: other.record.socket }),
    new RegExp(`^ours: its socket is served by another process \\(pid ${other.record.pid}\\)$`),
  );
});

test("a process that closed its socket, and one that never was ready, are ours, but not to be adopted", async () => {
  const { record } = await listening();
  assert.match(prove({ ...record, socket: join(folder, "absent.sock") }), /^ours: its socket cannot .*ENOENT/);
  assert.equal(prove({ ...record, ready: false }), "ours: it never was ready");
});

test("records that are corrupt, half written or of another name are removed and told; good ones are read", () => {
  const state = join(folder, "state");
  const records = new InstanceRecords(state);
  const good = recordOf({ package: "good", bootId: "b" });
  records.write(good);
  const write = (name: string, text: string): void => writeFileSync(join(state, "records", name), text);
  const wrong: Readonly<Record<string, Partial<Record<keyof InstanceRecord, unknown>>>> = {
    everybody: { pid: -1 },
    init: { pid: 1 },
    group: { pid: 0 },
    words: { startTime: "1; rm" },
    relative: { socket: "a.sock" },
    hex: { nonce: "xyz" },
    policy: { kill: "all" },
  };
  for (const [name, parts] of Object.entries(wrong)) {
    write(`${name}.json`, JSON.stringify({ ...good, package: name, ...parts }));
  }
  write("torn.json", JSON.stringify(good).slice(0, 40));
  write("null.json", "null");
  write("alias.json", JSON.stringify(good));
  write("left.json.new", "{");
  const found = records.readAll();
  assert.deepEqual(found.records, [good]);
  assert.deepEqual([...found.corrupt].sort(), [...Object.keys(wrong), "alias", "null", "torn"].sort());
  assert.deepEqual(readdirSync(join(state, "records")), ["good.json"]);
});
