import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { runCommand } from "./run-command.ts";

const everyCommand = [
  [],
  ["daemon"],
  ["plugins"],
  ["plugins", "ls"],
  ["plugins", "show"],
  ["plugins", "restart"],
  ["logs"],
  ["events"],
  ["publish"],
  ["metadata", "backup"],
  ["config", "check"],
  ["version"],
];

test("every command's help has examples, on stdout, with status 0", async () => {
  for (const words of everyCommand) {
    const { code, stdout, stderr } = await runCommand([...words, "--help"]);
    const name = `bulkhead ${words.join(" ")}`;
    assert.equal(code, 0, `${name}: ${stderr}`);
    if (name !== "bulkhead plugins") assert.match(stdout, /\nExamples:\n {2}\S/, name);
    assert.equal(stderr, "", name);
  }
});

test("wrong usage ends with status 2 and says what was meant", async () => {
  const cases: [string[], RegExp][] = [
    [[], /Usage: bulkhead/],
    [["plugin", "ls"], /unknown command 'plugin'\n\(Did you mean plugins\?\)/],
    [["plugins", "ls", "--jsno"], /unknown option '--jsno'\n\(Did you mean --json\?\)/],
    [["plugins", "show"], /missing required argument 'name'/],
    [["logs", "x", "-n", "many"], /whole number/],
    [["publish", "--topic", "/x"], /required option '--namespace <namespace>'/],
  ];
  for (const [args, text] of cases) {
    const { code, stdout, stderr } = await runCommand(args);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, text);
    assert.equal(stdout, "");
  }
});

test("version asks no daemon", async () => {
  const { code, stdout } = await runCommand(["version"]);
  assert.equal(code, 0);
  assert.match(stdout, /^bulkhead \d+\.\d+\.\d+( [0-9a-f]{40})? \(node v\d+\.\d+\.\d+\)\n$/);
  const { version, node } = JSON.parse((await runCommand(["version", "--json"])).stdout) as Record<string, string>;
  assert.ok(stdout.includes(`bulkhead ${version}`));
  assert.equal(node, process.version);
});

test("without a daemon the error says which socket and how to start one", async () => {
  await using folder = await makeTempFolder();
  const address = folder.join("bulkhead.sock");
  const expected = `bulkhead: list plugins: no daemon listens on ${address}; start one with "bulkhead daemon", or name its socket with --address\n`;
  for (const args of [
    ["-a", address, "plugins", "ls"],
    ["plugins", "ls", "--address", address],
  ]) {
    assert.deepEqual(await runCommand(args), { code: 1, stdout: "", stderr: expected });
  }
  assert.equal((await runCommand(["plugins", "ls"], { env: { BULKHEAD_ADDRESS: address } })).stderr, expected);
  await writeFile(address, "");
  assert.equal((await runCommand(["-a", address, "plugins", "ls"])).stderr, expected);
});

test("what changes the daemon goes to the admin socket of --state, else the one beside the main socket", async () => {
  await using folder = await makeTempFolder();
  const admin = folder.join("admin.sock");
  const { stderr } = await runCommand(["--state", folder.path, "plugins", "restart", "x"]);
  assert.ok(stderr.includes(`restart x: no daemon listens on ${admin};`), stderr);
  await writeFile(admin, "");
  const beside = await runCommand(["-a", folder.join("bulkhead.sock"), "metadata", "backup", "f"]);
  assert.ok(beside.stderr.includes(`no daemon listens on ${admin};`), beside.stderr);
});

test("a daemon named by its main socket alone is never taken for the one of the default config", async () => {
  await using folder = await makeTempFolder();
  const [here, elsewhere] = [folder.join("here"), folder.join("elsewhere")];
  await mkdir(here);
  const named = await runCommand(["-a", join(here, "c.sock"), "plugins", "restart", "x"]);
  const expected = `no daemon listens on ${here}/admin.sock; start one with "bulkhead daemon", or name its state folder`;
  assert.ok(named.stderr.includes(expected), named.stderr);
  const file = folder.join("config.yaml");
  await writeFile(file, `state: ${elsewhere}\ngrpc: { address: ${here}/c.sock }\n`);
  const configured = await runCommand(["-c", file, "-a", join(here, "c.sock"), "plugins", "restart", "x"]);
  assert.ok(configured.stderr.includes(`no daemon listens on ${elsewhere}/admin.sock;`), configured.stderr);
});

test("a socket that may not be opened is said to be so", async () => {
  await using folder = await makeTempFolder();
  const address = folder.join("bulkhead.sock");
  const server = createServer().listen(address);
  try {
    await once(server, "listening");
    await chmod(address, 0);
    const asRoot = process.getuid?.() === 0;
    const prefix = asRoot ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] : [];
    const { code, stderr } = await runCommand(["-a", address, "plugins", "ls"], { prefix });
    assert.equal(code, 1);
    assert.match(stderr, /no permission to open .*; use sudo/);
  } finally {
    server.close();
  }
});

test("the config file says where the daemon is, and a wrong one ends with status 78", async () => {
  await using folder = await makeTempFolder();
  const file = folder.join("config.yaml");
  const state = folder.join("state");
  await writeFile(file, `version: 2\nroot: ${folder.join("root")}\nstate: ${state}\n`);
  const read = await runCommand(["-c", file, "plugins", "ls"]);
  assert.ok(read.stderr.includes(`no daemon listens on ${state}/bulkhead.sock;`), read.stderr);
  const write = await runCommand(["-c", file, "plugins", "restart", "x"]);
  assert.ok(write.stderr.includes(`no daemon listens on ${state}/admin.sock;`), write.stderr);
  await writeFile(file, "state: [1]\n");
  const wrong = await runCommand(["plugins", "ls", "-c", file]);
  assert.equal(wrong.code, 78);
  assert.ok(wrong.stderr.includes(`${file}:1:`), wrong.stderr);
});
