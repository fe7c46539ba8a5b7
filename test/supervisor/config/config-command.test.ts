import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { parse } from "yaml";
import type { ConfigProblem } from "../../../supervisor/config/problem.ts";
import { makeFiles } from "./sample-files.ts";

const entry = join(import.meta.dirname, "../../../supervisor/main.ts");

/** Runs `bulkhead` with these arguments in a process of its own. */
async function bulkhead(...args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [entry, ...args], { stdio: ["ignore", "pipe", "pipe"], timeout: 30_000 });
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr };
}

describe("bulkhead config", () => {
  it("default prints a config file that means the same again", async () => {
    const { code, stdout } = await bulkhead("config", "default");
    assert.equal(code, 0);
    const printed = parse(stdout) as Record<string, unknown>;
    assert.equal(printed["version"], 2);
    await using files = await makeFiles({ "c.yaml": stdout });
    const dump = await bulkhead("-c", files.join("c.yaml"), "config", "dump", "--json");
    assert.equal(dump.code, 0, dump.stderr);
    assert.deepEqual(JSON.parse(dump.stdout), printed);
  });

  it("dump merges file, imports and flags, and hides secrets", async () => {
    await using files = await makeFiles({
      "c.toml":
        'version = 2\nimports = ["more.yaml"]\nroot = "/r"\n[plugins."a.b.c.d"]\ntoken = { fromFile = "/secret" }\n',
      "more.yaml": "version: 2\npackages: {acme: {limits: {memory: 64MiB}, stop: {grace: 90s}}}\n",
    });
    const { code, stdout, stderr } = await bulkhead(
      "config",
      "dump",
      "--config",
      files.join("c.toml"),
      "--state",
      "/s",
      "--json",
    );
    assert.equal(code, 0, stderr);
    const printed = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([printed["root"], printed["state"]], ["/r", "/s"]);
    assert.deepEqual(printed["packages"], { acme: { limits: { memory: "64MiB" }, stop: { grace: "1m30s" } } });
    assert.deepEqual((printed["plugins"] as Record<string, unknown>)["a.b.c.d"], { token: "(hidden)" });
    assert.ok(!stdout.includes("/secret"));
  });

  it("check names every error in config, manifests and plugins' config with its line, and exits 78", async () => {
    await using files = await makeFiles({
      "plugins/acme/plugin.yaml":
        "manifest: 1\nname: acme\nversion: 1.0.0\ncommand: [x]\nplugins:\n  - {type: acme.thing.v1, id: x, config: s.json}\nsinglton: true\n",
      "plugins/acme/s.json": '{"properties": {"size": {"type": "integer"}}}',
      "plugins/bad/plugin.yaml": "manifest: 1\nname: bad\nversion: 1.0.0\ncommand: x\nplugins: []\n",
      "plugins/ring/plugin.yaml":
        "manifest: 1\nname: ring\nversion: 1.0.0\ncommand: [x]\nplugins:\n  - {type: ring.a.v1, id: x, requires: [ring.b.v1]}\n",
      "plugins/ring2/plugin.yaml":
        "manifest: 1\nname: ring2\nversion: 1.0.0\ncommand: [x]\nplugins:\n  - {type: ring.b.v1, id: x, requires: [ring.a.v1]}\n",
    });
    const file = files.join("c.yaml");
    writeFileSync(
      file,
      `plugin_dirs: [${files.join("plugins")}]\ngrcp: {}\nplugins:\n  acme.thing.v1.x: {size: big}\noom_score: x\n`,
    );
    const { code, stdout, stderr } = await bulkhead("-c", file, "config", "check");
    assert.equal(code, 78);
    for (const line of [
      `warning: ${file}:2:1: grcp: unknown key "grcp"; did you mean "grpc"?`,
      `error: ${file}:4:21: plugins."acme.thing.v1.x".size: expected integer`,
      `error: ${file}:5:1: oom_score: expected a whole number from -1000 to 1000, got "x"`,
      `warning: ${files.join("plugins/acme/plugin.yaml")}:7:1: singlton: unknown key "singlton"; did you mean "singleton"?`,
      `error: ${files.join("plugins/bad/plugin.yaml")}:4:1: command: expected a list, got "x"`,
      `error: ${files.join("plugins/bad/plugin.yaml")}:5:1: plugins: expected at least one plugin`,
      `error: ${files.join("plugins/ring")}: dependency cycle: ring -> ring2 -> ring;`,
    ])
      assert.ok(stdout.includes(line), `${line}\n${stdout}`);
    assert.match(stderr, /check .*c\.yaml: \d+ errors/);

    const json = await bulkhead("-c", file, "config", "check", "--json");
    assert.equal(json.code, 78);
    const problems = JSON.parse(json.stdout) as ConfigProblem[];
    assert.ok(problems.some(({ line, column, path }) => line === 5 && column === 1 && path === "oom_score"));
  });

  it("check takes a good file, and under --strict no warnings", async () => {
    await using files = await makeFiles({ "c.yaml": "version: 2\ngrcp: {}\n" });
    const check = ["-c", files.join("c.yaml"), "config", "check"];
    const plain = await bulkhead(...check);
    assert.equal(plain.code, 0, plain.stdout);
    assert.match(plain.stdout, /c\.yaml: ok, 1 warning/);
    assert.equal((await bulkhead(...check, "--strict")).code, 78);
  });

  it("check and dump say that a named file is missing", async () => {
    for (const command of ["check", "dump"]) {
      const { code, stdout, stderr } = await bulkhead("-c", "/nowhere/c.yaml", "config", command);
      assert.equal(code, 78);
      assert.match(`${stdout}${stderr}`, /\/nowhere\/c\.yaml: no such file; check the path/);
    }
  });
});
