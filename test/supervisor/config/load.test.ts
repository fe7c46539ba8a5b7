import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { defaultPaths, makePrivateFolder } from "../../../supervisor/config/default-paths.ts";
import { loadConfig, readConfig } from "../../../supervisor/config/load.ts";
import { ConfigError } from "../../../supervisor/config/problem.ts";
import { deserializeConfig, serializeConfig } from "../../../supervisor/config/serialization.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { makeFiles, readSample } from "./sample-files.ts";

const uid = process.geteuid?.() ?? 0;

describe("defaults", () => {
  it("are containerd's layout under our name for root", async () => {
    const config = await loadConfig({ file: false, privileged: true, env: {} });
    assert.equal(config.file, undefined);
    assert.equal(config.root, "/var/lib/bulkhead");
    assert.equal(config.state, "/run/bulkhead");
    assert.deepEqual(config.grpc, {
      address: "/run/bulkhead/bulkhead.sock",
      uid: 0,
      gid: 0,
      maxRecvMessageBytes: 16_777_216,
      maxSendMessageBytes: 16_777_216,
    });
    assert.deepEqual(config.ttrpc, { address: "/run/bulkhead/bulkhead.sock.ttrpc", uid: 0, gid: 0 });
    assert.deepEqual([config.debug.address, config.metrics.address, config.temp], ["", "", undefined]);
    assert.equal(config.boot.waitMs, 10_000);
    assert.equal(config.timeoutsMs.get("io.containerd.timeout.task.state"), 2000);
    assert.deepEqual(
      [...config.streamProcessors.keys()],
      ["io.containerd.ocicrypt.decoder.v1.tar", "io.containerd.ocicrypt.decoder.v1.tar.gzip"],
    );
    assert.deepEqual(config.warnings, []);
  });

  it("are the XDG folders without root privileges", () => {
    const env = { HOME: "/home/ann", XDG_RUNTIME_DIR: "/run/user/7", XDG_DATA_HOME: "relative/is/ignored" };
    assert.deepEqual(defaultPaths({ privileged: false, env }), {
      configFile: "/home/ann/.config/bulkhead/config.yaml",
      root: "/home/ann/.local/share/bulkhead",
      state: "/run/user/7/bulkhead",
    });
  });

  it("put the state below the temp folder where there is no XDG_RUNTIME_DIR, and give sockets to the user", async () => {
    const config = await loadConfig({ file: false, privileged: false, env: { HOME: "/h", TMPDIR: "/var/tmp" } });
    assert.equal(config.state, `/var/tmp/bulkhead-${uid}/run`);
    assert.deepEqual([config.grpc.uid, config.grpc.gid], [uid, process.getegid?.()]);
  });

  it("make that folder 0700 and refuse one that others could have made", async () => {
    await using folder = await makeTempFolder("private");
    const path = folder.join("mine");
    makePrivateFolder(path);
    assert.equal(statSync(path).mode & 0o777, 0o700);
    makePrivateFolder(path);
    chmodSync(path, 0o750);
    assert.throws(() => makePrivateFolder(path), /remove it or set XDG_RUNTIME_DIR/);
    mkdirSync(folder.join("target"), { mode: 0o700 });
    symlinkSync(folder.join("target"), folder.join("link"));
    assert.throws(() => makePrivateFolder(folder.join("link")), /not a folder of this user alone/);
  });

  it("load no parser", () => {
    const script = `
      import { registerHooks } from "node:module";
      const seen = [];
      registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) });
      const { loadConfig } = await import(${JSON.stringify(join(import.meta.dirname, "../../../supervisor/config/load.ts"))});
      await loadConfig({ file: false, privileged: true, env: {} });
      console.log(seen.filter((url) => url.includes("node_modules")).length);`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    assert.equal(stdout.trim(), "0", stderr);
  });
});

describe("a config file", () => {
  it("that is named must exist, the default one need not", async () => {
    await using folder = await makeTempFolder("none");
    const missing = folder.join("none.yaml");
    await assert.rejects(loadConfig({ file: missing, privileged: true, env: {} }), (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.message, `${missing}: no such file; check the path`);
      return true;
    });
    await loadConfig({ privileged: false, env: { XDG_CONFIG_HOME: folder.path, HOME: folder.path } });
  });

  it("is found in its default place", async () => {
    await using folder = await makeFiles({ "bulkhead/config.yaml": "oom_score: 7\n" });
    const config = await loadConfig({ privileged: false, env: { XDG_CONFIG_HOME: folder.path, HOME: "/h" } });
    assert.equal(config.oomScore, 7);
    assert.equal(config.file, folder.join("bulkhead/config.yaml"));
  });

  it("says everything in containerd's keys and ours", async () => {
    const { config, texts } = await readSample({
      "c.yaml": `
version: 2
root: /r
state: /s
temp: /t
oom_score: -5
disabled_plugins: [io.containerd.grpc.v1.cri]
required_plugins: [io.containerd.metadata.v1.bolt]
plugin_dirs: [/opt/plugins]
grpc: {address: /g.sock, uid: 1, gid: 2, max_recv_message_size: 1MiB, max_send_message_size: 5}
ttrpc: {address: /t.sock, uid: 3, gid: 4}
debug: {address: /d.sock, uid: 5, gid: 6, level: debug, format: json}
metrics: {address: "127.0.0.1:1338", grpc_histogram: true}
cgroup: {path: /x}
boot: {wait: 1m30s}
orphans: {time: 0s}
timeouts: {io.containerd.timeout.shim.load: 9s, other: 1h}
stream_processors: {p: {accepts: [a], returns: b, path: c, args: [d], env: [E=f]}}
proxy_plugins: {soci: {type: snapshot, address: /soci.sock, platform: linux/arm64, exports: {a: b}, capabilities: [c]}}
plugins: {io.containerd.gc.v1.scheduler: {pause_threshold: 0.5}}
metadata: {maxSize: 1GiB}
packages: {acme: {limits: {memory: 64MiB, cpu: 0.5}, restart: {intensity: 0}, user: 1000, env: {A: b}}}
routes: {acme.v1.Thing: acme}
x-mine: anything
`,
    });
    assert.deepEqual(texts, []);
    assert.equal(config.version, 2);
    assert.deepEqual([config.root, config.state, config.temp, config.oomScore], ["/r", "/s", "/t", -5]);
    assert.deepEqual(config.grpc, {
      address: "/g.sock",
      uid: 1,
      gid: 2,
      maxRecvMessageBytes: 1_048_576,
      maxSendMessageBytes: 5,
    });
    assert.deepEqual(config.ttrpc, { address: "/t.sock", uid: 3, gid: 4 });
    assert.deepEqual(config.debug, { address: "/d.sock", uid: 5, gid: 6, level: "debug", format: "json" });
    assert.deepEqual(config.metrics, { address: "127.0.0.1:1338", grpcHistogram: true });
    assert.deepEqual([config.cgroupPath, config.boot.waitMs, config.orphans.timeMs], ["/x", 90_000, 0]);
    assert.equal(config.timeoutsMs.get("io.containerd.timeout.shim.load"), 9000);
    assert.equal(config.timeoutsMs.get("io.containerd.timeout.shim.cleanup"), 5000, "defaults stay");
    assert.equal(config.streamProcessors.get("p")?.returns, "b");
    assert.deepEqual(config.proxyPlugins.get("soci"), {
      type: "io.containerd.snapshotter.v1",
      address: "/soci.sock",
      platform: "linux/arm64",
      exports: { a: "b" },
      capabilities: ["c"],
    });
    assert.deepEqual(config.plugins.get("io.containerd.gc.v1.scheduler"), { pause_threshold: 0.5 });
    assert.deepEqual(config.plugins.get("io.containerd.metadata.v1.bolt"), { maxSize: "1GiB" });
    assert.equal(config.packages.get("acme")?.limits?.memoryBytes, 67_108_864);
    assert.equal(config.packages.get("acme")?.user, "1000");
    assert.deepEqual([...config.routes], [["acme.v1.Thing", "acme"]]);
    assert.deepEqual([config.disabledPlugins, config.pluginDirs], [["io.containerd.grpc.v1.cri"], ["/opt/plugins"]]);
  });

  it("bounds crash reports as the file says, a zero included, and refuses what makes no sense", async () => {
    const { config } = await readSample({
      "c.yaml": "crashes: {files: 0, file_size: 64KiB, total_size: 1MiB, lines: 5}\n",
    });
    const { files, fileBytes, totalBytes, reserveBytes, lines, calls } = config.crashes;
    assert.deepEqual([files, fileBytes, totalBytes, reserveBytes, lines, calls], [0, 65_536, 2 ** 20, 2 ** 26, 5, 100]);
    const { texts } = await readSample({ "c.yaml": "crashes: {lines: 201}\n" });
    assert.match(texts.join(), /crashes\.lines.*0 to 200/);
  });

  it("fails the entry of tasks alone when it would bind what containers inherit", async () => {
    const { config } = await readSample({
      "c.yaml": "packages: {tasks: {limits: {memory: 1GiB}}, acme: {user: me}}\n",
    });
    assert.match(config.entryErrors.get("packages.tasks") ?? "", /limits cannot be set for the package tasks/);
    assert.deepEqual([config.packages.has("tasks"), config.packages.get("acme")?.user], [false, "me"]);
  });

  it("reaches another process as JSON unchanged", async () => {
    const { config } = await readSample({
      "c.yaml":
        "proxy_plugins: {a: {type: diff, address: /a}, b: {}}\npackages: {p: {stop: {grace: 1s}}}\nroutes: {a.B: p}\n",
    });
    const copy = deserializeConfig(JSON.parse(JSON.stringify(serializeConfig(config))));
    assert.deepEqual(
      JSON.parse(JSON.stringify(serializeConfig(copy))),
      JSON.parse(JSON.stringify(serializeConfig(config))),
    );
    assert.ok(copy.proxyPlugins instanceof Map && copy.entryErrors.get("proxy_plugins.b") !== undefined);
    assert.ok("file" in copy && "temp" in copy);
  });

  it("is overridden by flags that are not empty, made absolute", async () => {
    const files = { "c.yaml": "root: /r\nstate: /s\ngrpc: {address: /g}\ndebug: {level: warn}\n" };
    const flags = { root: "some/root", state: "", address: "/a.sock", logLevel: "trace" };
    const { config } = await readSample(files, { overrides: flags });
    assert.equal(config.root, join(process.cwd(), "some/root"));
    assert.equal(config.state, "/s");
    assert.equal(config.grpc.address, "/a.sock");
    assert.equal(config.ttrpc.address, "/a.sock.ttrpc", "it follows the main one");
    assert.equal(config.debug.level, "trace");
  });

  it("cannot save a flag that is wrong", async () => {
    const { problems } = await readConfig({ file: false, overrides: { logLevel: "loud" }, privileged: true, env: {} });
    assert.match(problems[0]?.message ?? "", /unknown level "loud": expected one of trace, /);
  });
});

describe("root and state", () => {
  for (const [text, message] of [
    ["root: /x\nstate: /x\n", "root and state must be different paths"],
    ["root: /x/\nstate: /y/../x\n", "root and state must be different paths"],
    [`state: /${"s".repeat(90)}\n`, "has 91 bytes, too many for the sockets in it (90)"],
    [`grpc: {address: /${"g".repeat(104)}}\n`, "unix socket path too long (> 104)"],
    [`ttrpc: {address: /${"g".repeat(104)}}\n`, "unix socket path too long (> 104)"],
  ] as const) {
    it(`are refused: ${text.slice(0, 40).replaceAll("\n", " ")}`, async () => {
      const { texts } = await readSample({ "c.yaml": text });
      assert.equal(texts.length, 1, texts.join("\n"));
      assert.ok(texts[0]?.startsWith("error: ") && texts[0].includes(message), texts[0]);
    });
  }

  it("leave no empty value: an empty one keeps the default, as in containerd", async () => {
    const { config, texts } = await readSample({ "c.yaml": 'root: ""\nstate: ""\ngrpc: {address: "", uid: 0}\n' });
    assert.deepEqual(texts, []);
    assert.deepEqual(
      [config.root, config.state, config.grpc.address],
      ["/var/lib/bulkhead", "/run/bulkhead", "/run/bulkhead/bulkhead.sock"],
    );
  });

  it("of 90 bytes leave the ttrpc socket in a short folder, and say so", async () => {
    const state = `/${"s".repeat(89)}`;
    const { config, texts } = await readSample({ "c.yaml": `state: ${state}\n` });
    assert.deepEqual(texts, []);
    assert.equal(Buffer.byteLength(config.grpc.address), 104);
    assert.match(config.ttrpc.address, /^\/.{1,60}\/ttrpc\.sock$/);
    assert.match(config.warnings.join(), /the ttrpc socket is .*set ttrpc\.address/);
  });
});

it("leaves nothing in its folder but what was there", async () => {
  await using folder = await makeFiles({ "c.yaml": "root: /r\n" });
  await loadConfig({ file: folder.join("c.yaml"), privileged: true, env: {} });
  assert.deepEqual(readdirSync(folder.path), ["c.yaml"]);
});
