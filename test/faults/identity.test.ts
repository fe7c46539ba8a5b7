import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { execa } from "execa";
import { Child } from "../harness/child.ts";
import { launcher, startBulkhead } from "../harness/bulkhead-daemon.ts";
import { packageFolder, type PackageCopy } from "../harness/package-folder.ts";
import { skipWithout } from "../harness/peers.ts";
import { statusOf, waitForState } from "../harness/plugin-status.ts";
import { showPackageJson, type ShownPackage } from "../harness/status-watch.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const skip = skipWithout({ root: true });
/** Accounts of every Debian: uid and gid 1, and gid 4. */
const daemonId = 1;
const admGroup = 4;

function quiet(name: string, more: string): PackageCopy {
  const edit = (manifest: string): string =>
    `${manifest.replaceAll("waits-quietly", name).replace("WaitsQuietly", name.replaceAll("-", ""))}${more}\n`;
  return { name, from: "waits-quietly", edit };
}

/** Fields of /proc/<pid>/status. */
async function statusFields(pid: bigint): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  return new Map(text.split("\n").map((line) => [line.split(":")[0] ?? "", line.slice(line.indexOf("\t") + 1).trim()]));
}

test("a package runs as the user and groups it names, owns its folders, and never has the daemon's OOM score", {
  skip,
}, async () => {
  await using folder = await makeTempFolder("i");
  await chmod(folder.path, 0o755);
  const broken = [
    quiet("by-name", 'user: daemon\ngroups: [adm, "1234"]'),
    quiet("by-number", "user: 4711"),
    quiet("as-daemon", "noNewPrivileges: false"),
    quiet("unknown-user", "user: nobody-has-this-name"),
  ];
  const config = await packageFolder(folder, { broken });
  await using daemon = await startBulkhead({
    folder,
    config: `${config}boot: { wait: 2s }\noom_score: 300\n`,
    args: ["-l", "debug"],
  });

  const named = await statusOf(daemon, "by-name");
  const byName = await statusFields(named.pid);
  assert.equal(byName.get("Uid"), Array(4).fill(daemonId).join("\t"));
  assert.equal(byName.get("Gid"), Array(4).fill(daemonId).join("\t"));
  assert.deepEqual(byName.get("Groups")?.split(" ").map(Number), [admGroup, 1234]);
  assert.deepEqual([byName.get("NoNewPrivs"), byName.get("CapEff")], ["1", "0000000000000000"]);
  for (const owned of [
    folder.join("root/by-name"),
    folder.join("state/by-name"),
    folder.join("state/s/by-name"),
    folder.join("state/host/by-name.sock"),
  ]) {
    const { uid, gid, mode } = statSync(owned);
    assert.deepEqual([owned, uid, gid], [owned, daemonId, daemonId]);
    assert.equal(mode & 0o077, 0, owned);
  }

  const byNumber = await statusFields((await statusOf(daemon, "by-number")).pid);
  assert.deepEqual([byNumber.get("Uid"), byNumber.get("Groups")], [Array(4).fill(4711).join("\t"), ""]);

  const own = await statusOf(daemon, "as-daemon");
  const asDaemon = await statusFields(own.pid);
  assert.deepEqual([asDaemon.get("Uid"), asDaemon.get("NoNewPrivs")], [Array(4).fill(0).join("\t"), "0"]);
  for (const pid of [named.pid, own.pid]) {
    assert.equal((await readFile(`/proc/${pid}/oom_score_adj`, "utf8")).trim(), "0");
  }
  assert.equal((await readFile(`/proc/${daemon.child.pid}/oom_score_adj`, "utf8")).trim(), "300");

  const reason = await waitForState(daemon, "unknown-user", "backoff");
  assert.match(reason, /user nobody-has-this-name is not known on this machine: add it .*packages\.unknown-user\.user/);
});

test("what cannot be done without privileges is said once at start, and with each package", { skip }, async () => {
  const nobody = 65534;
  await using folder = await makeTempFolder("i");
  await chmod(folder.path, 0o755);
  for (const name of ["home", "run"]) {
    await mkdir(folder.join(name));
    await chown(folder.join(name), nobody, nobody);
  }
  const broken = [
    quiet("wants-much", "user: daemon\nlimits: { memory: 64MiB, cpu: 0.5, pids: 9, nofile: 999999999 }"),
    quiet("wants-memory", "limits: { memory: 32MiB }"),
  ];
  const dirs = await packageFolder(folder, { broken });
  const config = folder.join("config.yaml");
  await writeFile(config, dirs);
  const env = { PATH: process.env["PATH"], HOME: folder.join("home"), XDG_RUNTIME_DIR: folder.join("run") };
  const asNobody = ["--reuid", `${nobody}`, "--regid", `${nobody}`, "--clear-groups"];
  await using child = new Child("setpriv", [...asNobody, launcher, "--config", config, "daemon"], { env });
  await child.output.waitFor(/successfully booted in/);
  const said = child.output.lines.filter((line) => line.includes("not possible here"));
  assert.equal(said.filter((line) => line.includes("limits.memory is not enforced")).length, 1, said.join("\n"));
  assert.match(
    said.join("\n"),
    /limits\.memory is not enforced.*\(wants-memory, wants-much\)|limits\.memory is not enforced.*\(wants-much, wants-memory\)/,
  );
  assert.match(said.join("\n"), /user and groups are not applied: only root.*\(wants-much\)/);

  const args = [
    ...asNobody,
    launcher,
    "--address",
    folder.join("run/bulkhead/bulkhead.sock"),
    "plugins",
    "show",
    "wants-much",
    "--json",
  ];
  const { stdout } = await execa("setpriv", args, { env });
  const notes = (JSON.parse(stdout) as ShownPackage).notes.join("\n");
  assert.match(notes, /limits\.memory \(64MiB\) is not enforced: .*(root|Delegate=yes|mounted)/);
  assert.match(notes, /limits\.cpu \(0\.5\) is not enforced/);
  assert.match(notes, /limits\.pids \(9\) is not enforced/);
  assert.match(notes, /limits\.nofile \(999999999\) is not applied: the daemon's own limit is \d+; raise it/);
  child.kill("SIGTERM");
  assert.equal((await child.waitForExit()).code, 0, child.output.text);
});

test("limits, a user or no_new_privs of tasks are refused, with the reason", async () => {
  const config = "packages: { tasks: { limits: { memory: 64MiB }, user: daemon, noNewPrivileges: true } }\n";
  await using daemon = await startBulkhead({ config });
  const { state, reason } = await statusOf(daemon, "tasks");
  assert.equal(state, "failed");
  assert.match(reason, /limits cannot be set for the package tasks: containers and their shims would inherit it/);
  assert.deepEqual((await showPackageJson(daemon, "tasks")).crashes.files, []);
});
