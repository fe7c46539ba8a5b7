import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { clientOf, connect } from "#rpc";
import { Child } from "../harness/child.ts";
import { configFor, launchBulkhead, launcher, prepareBulkhead, startBulkhead } from "../harness/bulkhead-daemon.ts";
import { assertNothingLeft } from "../harness/leftovers.ts";
import { skipWithout } from "../harness/peers.ts";
import { isSettled } from "../harness/plugin-status.ts";
import { launchStock, stockFor } from "../harness/stock-daemon.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";
import { mountTmpfs } from "../harness/tmpfs.ts";

const secondMs = 10_000;

test("a second daemon on one root ends at once with 1, says who holds it, and harms nothing", async () => {
  await using daemon = await startBulkhead();
  await using other = await makeTempFolder("o");
  const attempts = [
    ["both", configFor(daemon.folder)],
    ["root", `root: ${daemon.root}\nstate: ${other.join("state")}\ngrpc: { address: ${other.join("c.sock")} }\n`],
    ["state", `root: ${other.join("root")}\nstate: ${daemon.state}\ngrpc: { address: ${other.join("d.sock")} }\n`],
  ] as const;
  for (const [what, config] of attempts) {
    const file = other.join(`${what}.yaml`);
    await writeFile(file, config);
    await using second = new Child(launcher, ["--config", file, "daemon"]);
    assert.equal((await second.waitForExit(secondMs)).code, 1, second.output.text);
    assert.match(second.output.text, new RegExp(`\\b${daemon.child.pid}\\b`), `${what}: ${second.output.text}`);
  }
  using channel = connect(daemon.address);
  await clientOf(Version, channel).version({});
});

test("of five daemons started at once on one root one boots, the others name it", async () => {
  await using folder = await makeTempFolder("f");
  const file = await prepareBulkhead(folder);
  await using children = new AsyncDisposableStack();
  const all = Array.from({ length: 5 }, () => children.use(launchBulkhead(folder, file)));
  const booted = await Promise.any(
    all.map(async (child) => {
      await child.output.waitFor(/successfully booted in/);
      return child;
    }),
  );
  for (const child of all.filter((each) => each !== booted)) {
    assert.equal((await child.waitForExit(secondMs)).code, 1, child.output.text);
    assert.match(child.output.text, new RegExp(`another bulkhead daemon \\(pid ${booted.pid}, `));
  }
  using channel = connect(folder.join("c.sock"));
  await clientOf(Version, channel).version({});
  booted.kill("SIGTERM");
  assert.equal((await booted.waitForExit()).code, 0, booted.output.text);
  await assertNothingLeft(folder.path);
});

test("a live daemon's socket is not taken by another root's daemon", async () => {
  await using daemon = await startBulkhead();
  await using other = await makeTempFolder("o");
  const file = other.join("c.yaml");
  const config = `root: ${other.join("root")}\nstate: ${other.join("state")}\ngrpc: { address: ${daemon.address} }\n`;
  await writeFile(file, config);
  await using second = new Child(launcher, ["--config", file, "daemon"]);
  assert.equal((await second.waitForExit(secondMs)).code, 1, second.output.text);
  assert.match(second.output.text, /c\.sock/);
  using channel = connect(daemon.address);
  await clientOf(Version, channel).version({});
});

test("a root that is containerd's is refused, untouched, with the key to change", {
  skip: skipWithout({ peers: ["containerd"], root: true }),
}, async () => {
  await using folder = await makeTempFolder("c");
  {
    await using stock = launchStock(folder, await stockFor(folder));
    await stock.output.waitFor(/containerd successfully booted/);
    stock.kill("SIGTERM");
    await stock.waitForExit();
  }
  const before = await readdir(folder.join("root"), { recursive: true });
  await using child = launchBulkhead(folder, await prepareBulkhead(folder));
  assert.equal((await child.waitForExit(secondMs)).code, 1, child.output.text);
  assert.match(child.output.text, /containerd/);
  assert.match(child.output.text, /\broot\b/);
  assert.deepEqual(await readdir(folder.join("root"), { recursive: true }), before);
  await assertNothingLeft(folder.path);
});

test("a read-only root is named, and the start ends with 1", { skip: skipWithout({ root: true }) }, async () => {
  await using folder = await makeTempFolder("r");
  await using root = await mountTmpfs(folder.join("root"), "1m");
  await root.remount("ro");
  await using child = launchBulkhead(folder, await prepareBulkhead(folder));
  assert.equal((await child.waitForExit(secondMs)).code, 1, child.output.text);
  assert.match(child.output.text, /root/);
  assert.match(child.output.text, /read-only|EROFS/i);
});

for (const key of ["root", "state", "temp", "grpc"] as const) {
  test(`a ${key} below /proc, where nothing can be made, is named, and the start ends with 1`, async () => {
    await using folder = await makeTempFolder("p");
    const paths = { root: folder.join("root"), state: folder.join("state"), temp: "", grpc: folder.join("c.sock") };
    paths[key] = "/proc/nope/deeper";
    const { root, state, temp, grpc } = paths;
    const file = folder.join("config.yaml");
    await writeFile(file, `root: ${root}\nstate: ${state}\ntemp: "${temp}"\ngrpc: { address: ${grpc} }\n`);
    await using child = new Child(launcher, ["--config", file, "daemon"]);
    assert.equal((await child.waitForExit(secondMs)).code, 1, child.output.text);
    assert.match(child.output.text, /\/proc\/nope.*no such file or directory/i);
    await assertNothingLeft(folder.path);
  });
}

for (const length of [53, 90]) {
  test(`a state path of ${length} bytes works, with the sockets at their default places`, async () => {
    await using folder = await makeTempFolder("l");
    const state = folder.join("s".repeat(length - folder.path.length - 1));
    assert.equal(Buffer.byteLength(state), length);
    const file = folder.join("config.yaml");
    await writeFile(file, `root: ${folder.join("root")}\nstate: ${state}\n`);
    await using child = new Child(launcher, ["--config", file, "daemon"], {
      env: { ...process.env, XDG_RUNTIME_DIR: folder.path },
    });
    await child.output.waitFor(/successfully booted in/);
    const address = `${state}/bulkhead.sock`;
    using channel = connect(address);
    await clientOf(Version, channel).version({});
    const { stdout } = await runCommand(["--address", address, "plugins", "ls", "--json"]);
    const plugins = JSON.parse(stdout) as { id: string; state: string }[];
    const unsettled = plugins.filter((plugin) => !isSettled(plugin));
    assert.deepEqual(unsettled, []);
    child.kill("SIGTERM");
    assert.equal((await child.waitForExit()).code, 0, child.output.text);
    await assertNothingLeft(folder.path);
  });
}

async function runCommand(args: readonly string[]): Promise<{ stdout: string }> {
  await using child = new Child(launcher, args);
  const { code } = await child.waitForExit();
  assert.equal(code, 0, child.output.text);
  return { stdout: child.output.lines.join("\n") };
}

test("a stale socket file is replaced", async () => {
  await using folder = await makeTempFolder("x");
  await mkdir(folder.join("state"), { recursive: true });
  {
    await using first = launchBulkhead(folder, await prepareBulkhead(folder));
    await first.output.waitFor(/successfully booted in/);
    first.kill("SIGTERM");
    await first.waitForExit();
  }
  await writeFile(folder.join("c.sock"), "");
  await using daemon = await startBulkhead({ folder });
  using channel = connect(daemon.address);
  await clientOf(Version, channel).version({});
});
