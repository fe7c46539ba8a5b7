import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readSample } from "./sample-files.ts";

describe("imports", () => {
  it("merge as containerd's: what is not empty overrides, lists append, maps take each key whole", async () => {
    const { config, texts } = await readSample({
      "main.yaml": `
imports: [a.yaml, more/*.yaml]
root: /main
oom_score: 5
disabled_plugins: [t.a.v1.x]
metrics: {grpc_histogram: true}
grpc: {uid: 7, address: /main.sock}
timeouts: {one: 1s, two: 2s}
plugins: {t.p.v1.x: {keep: 1, other: 2}}
proxy_plugins: {p: {type: snapshot, address: /p, platform: linux/amd64}}
boot: {wait: 5s}
`,
      "a.yaml": `
root: /a
oom_score: 0
disabled_plugins: [t.b.v1.x, t.a.v1.x]
metrics: {grpc_histogram: false}
grpc: {uid: 0, gid: 8, address: ""}
timeouts: {two: 20s}
plugins: {t.p.v1.x: {keep: 3}}
proxy_plugins: {p: {type: content, address: /q}}
boot: {wait: 0s}
`,
      "more/1.yaml": "root: /one\n",
      "more/2.yaml": "root: /two\nplugins: {t.q.v1.x: {}}\n",
    });
    assert.deepEqual(texts, []);
    assert.equal(config.root, "/two", "files of a glob come in order of their names");
    assert.equal(config.oomScore, 5);
    assert.deepEqual(config.disabledPlugins, ["t.a.v1.x", "t.b.v1.x"]);
    assert.equal(config.metrics.grpcHistogram, true);
    assert.deepEqual([config.grpc.uid, config.grpc.gid, config.grpc.address], [7, 8, "/main.sock"]);
    assert.deepEqual([config.timeoutsMs.get("one"), config.timeoutsMs.get("two")], [1000, 20_000]);
    assert.deepEqual(config.plugins.get("t.p.v1.x"), { keep: 3 });
    assert.deepEqual([...config.plugins.keys()], ["t.p.v1.x", "t.q.v1.x"]);
    assert.equal(config.proxyPlugins.get("p")?.platform, undefined);
    assert.equal(config.boot.waitMs, 0, "a zero in a key of ours is meant");
  });

  it("go breadth first, and each file counts once", async () => {
    const { config, texts } = await readSample({
      "main.yaml": "imports: [a.yaml, b.yaml]\nroot: /main\n",
      "a.yaml": "imports: [deep/c.yaml, main.yaml]\nroot: /a\ncgroup: {path: /a}\n",
      "b.yaml": "imports: [a.yaml]\nroot: /b\n",
      "deep/c.yaml": "imports: [../b.yaml]\nroot: /c\n",
    });
    assert.deepEqual(texts, []);
    assert.equal(config.root, "/c", "the deepest comes last");
    assert.equal(config.cgroupPath, "/a");
  });

  it("that cannot be read are a problem of the file that names them; an empty glob is none", async () => {
    const { texts } = await readSample({
      "main.yaml": "imports:\n  - none.yaml\n  - none/*.yaml\n  - broken.yaml\n",
      "broken.yaml": "root: [\n",
    });
    assert.equal(texts.length, 2, texts.join("\n"));
    assert.match(texts[0] ?? "", /^error: main\.yaml:2:5: imports\[0\]: cannot import none\.yaml: no such file/);
    assert.match(texts[1] ?? "", /^error: broken\.yaml:2:1: not valid YAML/);
  });

  it("name the imported file in its own problems", async () => {
    const { texts } = await readSample({
      "main.yaml": "imports: [a.toml]\nroot: 5\n",
      "a.toml": "version = 2\n\n[grpc]\n  uid = -1\n",
    });
    assert.deepEqual(texts, [
      "error: main.yaml:2:1: root: expected a string, got 5",
      "error: a.toml:4:3: grpc.uid: expected a whole number from 0 to 4294967294, got -1",
    ]);
  });

  it("end somewhere", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [`${i}.yaml`, `imports: [${i + 1}.yaml]\n`]),
    );
    const { texts } = await readSample(files);
    assert.equal(texts.length, 1);
    assert.match(texts[0] ?? "", /more than 256 files are imported/);
  });
});
