import assert from "node:assert/strict";
import { mkdir, readFile, readlink, readdir, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { test } from "node:test";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";

/** A package that binds nothing and stays where its start left it, to be looked at through /proc. */
const manifest = `
manifest: 1
name: looked-at
version: 1.0.0
command: [./run, "\${socket}", "\${package}", "\${os}/\${arch}", "\${root}", "\${nothing}"]
plugins:
  - type: acme.looked.v1
    id: at
    config: schema.json
env: { GREETING: hello }
limits: { nofile: 123, core: 0 }
`;
/** Tells that it runs, and with which words; then it is nothing but a process. */
const program = '#!/bin/sh\necho "up:$*"\nexec sleep 1000\n';
const schema = {
  type: "object",
  properties: { token: { type: "string", writeOnly: true }, size: { type: "integer", default: 7 } },
};

async function start(folder: TempFolder): Promise<BulkheadDaemon> {
  const home = folder.join("packages/looked-at");
  await mkdir(home, { recursive: true });
  await writeFile(`${home}/plugin.yaml`, manifest);
  await writeFile(`${home}/run`, program, { mode: 0o755 });
  await writeFile(`${home}/schema.json`, JSON.stringify(schema));
  await writeFile(folder.join("token"), "sesame\n", { mode: 0o600 });
  const daemon = await startBulkhead({
    folder,
    config: [
      `plugin_dirs: [${folder.join("packages")}]`,
      "boot: { wait: 50ms }",
      "debug: { level: debug }",
      `plugins: { acme.looked.v1.at: { token: { fromFile: ${folder.join("token")} } } }`,
      "",
    ].join("\n"),
  });
  return daemon;
}

/** Fields of /proc/<pid>/status. */
async function statusFields(pid: number): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  return new Map(text.split("\n").map((line) => [line.split(":")[0] ?? "", line.slice(line.indexOf("\t") + 1)]));
}

test("a package is handed what the contract says, and nothing else", async () => {
  await using folder = await makeTempFolder("ho");
  await using daemon = await start(folder);
  const up = await daemon.child.output.waitFor(/up:/);
  const { pid: bigPid, socket } = await statusOf(daemon, "looked-at");
  const pid = Number(bigPid);
  const proc = (name: string): string => `/proc/${pid}/${name}`;

  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const root = folder.join("root/looked-at");
  assert.ok(up.includes(`up:${socket} looked-at linux/${arch} ${root} \${nothing}`), up);

  const lines = (await readFile(proc("environ"), "utf8")).split("\0").filter((line) => line !== "");
  const env = new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
  assert.equal(env.get("GREETING"), "hello");
  assert.equal(env.get("BULKHEAD_PACKAGE"), "looked-at");
  assert.equal(env.get("BULKHEAD_PACKAGE_DIR"), folder.join("packages/looked-at"));
  assert.equal(env.get("BULKHEAD_GENERATION"), "1");
  assert.equal(env.get("BULKHEAD_SOCKET"), socket);
  assert.match(env.get("BULKHEAD_HOST") ?? "", /^unix:\/.*\/looked-at\.sock$/);
  assert.equal(env.get("BULKHEAD_ROOT"), root);
  assert.equal(env.get("BULKHEAD_STATE"), folder.join("state/looked-at"));
  assert.equal(env.get("BULKHEAD_LOG_LEVEL"), "debug");
  assert.equal(env.get("BULKHEAD_READY_FD"), undefined, "it is ready by its socket");
  const known =
    /^(PATH|HOME|LANG|TZ|TMPDIR|GREETING|PWD|SHLVL|_|OLDPWD|.*_proxy|.*_PROXY|SSL_CERT_.*|NODE_EXTRA_CA_CERTS|BULKHEAD_.*)$/;
  assert.deepEqual(
    [...env.keys()].filter((name) => !known.test(name)),
    [],
  );
  assert.ok(![...lines, up].some((text) => text.includes("sesame")), "a secret in environment or arguments");

  const configFile = env.get("BULKHEAD_CONFIG") ?? "";
  assert.equal((await stat(configFile)).mode & 0o777, 0o400);
  const config = JSON.parse(await readFile(configFile, "utf8")) as unknown;
  assert.deepEqual(config, { "acme.looked.v1.at": { token: "sesame", size: 7 } });
  assert.equal((await stat(dirname(socket))).mode & 0o777, 0o700);

  assert.equal(await readlink(proc("cwd")), folder.join("packages/looked-at"));
  const open = new Map<string, string>();
  for (const fd of await readdir(proc("fd"))) open.set(fd, await readlink(proc(`fd/${fd}`)));
  const log = folder.join("state/log/looked-at.1");
  assert.deepEqual(Object.fromEntries(open), { "0": "/dev/null", "1": log, "2": log });
  assert.match(await readFile(proc("fdinfo/1"), "utf8"), /^flags:\s+0?[0-7]*2[0-7]{3}$/m, "O_APPEND");

  const fields = await statusFields(pid);
  assert.equal(fields.get("Umask"), "0022");
  assert.equal(fields.get("NoNewPrivs"), "1");
  assert.equal(fields.get("NSsid"), String(pid), "a session of its own");
  assert.match(fields.get("SigIgn") ?? "", /^0+$/, "default signals");
  assert.match(fields.get("SigBlk") ?? "", /^0+$/, "default signals");
  const limits = await readFile(proc("limits"), "utf8");
  assert.match(limits, /^Max open files\s+123\s+123\s/m);
  assert.match(limits, /^Max core file size\s+0\s+0\s/m);
  assert.equal(await readlink(proc("ns/mnt")), await readlink(`/proc/${daemon.child.pid}/ns/mnt`));
});
