import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { loadManifest } from "../../../supervisor/config/manifest-file.ts";
import { invalidManifests, smallest, whole } from "./sample-manifests.ts";
import { makeFiles, problemTexts } from "./sample-files.ts";

async function load(text: string, hostVersion = "0.3.1") {
  await using folder = await makeFiles({ "plugin.yaml": text });
  const loaded = await loadManifest(folder.path, { hostVersion, shipped: false });
  return { ...loaded, texts: problemTexts(loaded.problems, folder.path), folder: folder.path };
}

describe("a manifest", () => {
  it("of the fewest keys gets every default of the contract", async () => {
    const { manifest, texts, folder } = await load(smallest);
    assert.deepEqual(texts, []);
    assert.deepEqual(manifest, {
      name: "acme",
      version: "1.4.0",
      folder,
      tier: "proxy",
      address: undefined,
      command: ["bin/acme"],
      main: undefined,
      plugins: [
        {
          type: "acme.thing.v1",
          id: "x",
          serves: [],
          routes: [],
          requires: [],
          wants: [],
          calls: [],
          capabilities: [],
          exports: {},
          platforms: [],
          config: undefined,
          shows: undefined,
        },
      ],
      methods: new Map(),
      activation: "eager",
      singleton: false,
      restart: { policy: "permanent", firstMs: 0, minMs: 100, maxMs: 30_000, intensity: 5, periodMs: 60_000 },
      readiness: { by: "socket", timeoutMs: 30_000 },
      watchdog: { intervalMs: 10_000, misses: 3 },
      parking: { policy: "park", calls: 1000, bytes: 16_777_216, timeMs: 30_000 },
      stop: { graceMs: 10_000, kill: "group" },
      limits: { memoryBytes: undefined, cpu: undefined, pids: undefined, nofile: undefined, coreBytes: undefined },
      user: undefined,
      groups: [],
      noNewPrivileges: true,
      env: {},
      inheritEnv: false,
      data: undefined,
      listen: [],
      redirects: [],
      shipped: false,
      warnings: [],
    });
  });

  it("may say everything the contract knows", async () => {
    const { manifest, texts } = await load(whole);
    assert.deepEqual(texts, []);
    assert.equal(manifest.tier, "native");
    assert.deepEqual(manifest.command, ["bin/acme", "--listen", "${socket}"]);
    const [plugin] = manifest.plugins;
    assert.deepEqual(plugin?.serves, ["s.A", "s.B"], "what is routed is served");
    assert.deepEqual(plugin?.routes, ["s.B"]);
    assert.deepEqual([plugin?.requires, plugin?.wants, plugin?.calls], [["acme.other.v1"], ["*"], ["acme.other.v1.y"]]);
    assert.deepEqual(plugin?.shows, []);
    assert.deepEqual(manifest.methods.get("/s.A/Get"), {
      idempotent: true,
      unbounded: false,
      redirects: false,
      timeoutMs: 10_000,
    });
    assert.equal(manifest.methods.get("/s.A/Watch")?.redirects, true);
    assert.deepEqual(manifest.restart, {
      policy: "transient",
      firstMs: 1000,
      minMs: 200,
      maxMs: 5000,
      intensity: 0,
      periodMs: 1000,
    });
    assert.deepEqual(manifest.limits, { memoryBytes: 268_435_456, cpu: 1.5, pids: 64, nofile: 4096, coreBytes: 0 });
    assert.deepEqual([manifest.user, manifest.groups], ["acme", ["disk", "44"]]);
    assert.deepEqual(manifest.data, { version: 3, reads: [3, 2] });
    assert.deepEqual([manifest.listen, manifest.redirects], [["ttrpc"], ["content"]]);
    assert.deepEqual([manifest.singleton, manifest.noNewPrivileges, manifest.inheritEnv], [true, false, true]);
  });

  it("with main speaks bulkhead/1 and says that it is ready by descriptor", async () => {
    const { manifest, texts } = await load(smallest.replace("command: [bin/acme]", "main: index.ts"));
    assert.deepEqual(texts, []);
    assert.deepEqual([manifest.tier, manifest.readiness.by], ["native", "fd"]);
  });

  it("with an address is an external package", async () => {
    const { manifest, texts } = await load(smallest.replace("command: [bin/acme]", "address: /run/acme.sock"));
    assert.deepEqual(texts, []);
    assert.deepEqual([manifest.tier, manifest.address], ["external", "/run/acme.sock"]);
  });

  for (const [text, expected] of [
    [
      "protocol: bulkhead/2",
      "plugin.yaml:6:1: protocol: protocol bulkhead/2: not offered by bulkhead 0.3.1; it offers proxy and bulkhead/1",
    ],
    ["protocol: go-plugin", "plugin.yaml:6:1: protocol: protocol go-plugin: not offered by bulkhead 0.3.1"],
    ["activation: lazy", "plugin.yaml:6:1: activation: lazy activation: not offered by bulkhead 0.3.1"],
    ['needs: {bulkhead: ">=0.4"}', "plugin.yaml:6:9: needs.bulkhead: needs bulkhead >=0.4, this is 0.3.1"],
    ["needs: {bulkhead: new}", 'plugin.yaml:6:9: needs.bulkhead: expected a range like ">=0.3", got "new"'],
    ["restart: {min: 5s, max: 1s}", "plugin.yaml:6:20: restart.max: expected at least what min says"],
    ["stop: {grace: soon}", 'plugin.yaml:6:8: stop.grace: expected a duration, got "soon"'],
    ["main: index.ts", "plugin.yaml:6:1: main: command and main exclude one another"],
  ] as const) {
    it(`is refused with ${text}, pointing at it`, async () => {
      const { failure, texts } = await load(`${smallest}${text}\n`);
      assert.equal(texts.length, 1, texts.join("\n"));
      assert.ok(texts[0]?.startsWith(`error: ${expected}`), texts[0]);
      assert.ok(failure?.includes(expected), failure);
    });
  }

  it("fits a range of versions that it needs", async () => {
    assert.deepEqual((await load(`${smallest}needs: {bulkhead: ">=0.3 <1"}\n`)).texts, []);
  });

  for (const [title, value] of invalidManifests) {
    it(`is refused: ${title}`, async () => {
      const { failure, problems } = await load(typeof value === "string" ? value : JSON.stringify(value, undefined, 1));
      assert.ok(failure !== undefined);
      assert.ok(problems.every(({ severity }) => severity === "warning" || severity === "error"));
    });
  }

  it("with unknown keys is used; they are warned of with the nearest known one, x-* is free", async () => {
    const { manifest, failure, texts } = await load(
      `${smallest.replace("id: x", "id: x, x-note: 1, requiers: []")}noNewPrivilege: false\nx-mine: {a: 1}\n`,
    );
    assert.equal(failure, undefined);
    assert.deepEqual(texts, [
      'warning: plugin.yaml:5:52: plugins[0].requiers: unknown key "requiers"; did you mean "requires"?',
      'warning: plugin.yaml:6:1: noNewPrivilege: unknown key "noNewPrivilege"; did you mean "noNewPrivileges"?',
    ]);
    assert.equal(manifest.warnings.length, 2);
  });

  it("that is broken still gives a name to show, from the file or from its folder", async () => {
    const named = await load("name: acme\nmanifest: 1\n");
    assert.equal(named.manifest.name, "acme");
    assert.match(named.failure ?? "", /\(and 2 more, see "bulkhead config check"\)$/);
    const unnamed = await load("[");
    assert.match(unnamed.manifest.name, /^[a-z][a-z0-9-]{0,31}$/);
    assert.match(unnamed.failure ?? "", /plugin\.yaml:1:2: not valid YAML/);
  });

  it("of 300 KiB is refused, and a missing one is told", async () => {
    assert.match((await load(`# ${"x".repeat(300_000)}\n${smallest}`)).failure ?? "", /has more than 262144 bytes/);
    await using folder = await makeFiles({});
    const { failure } = await loadManifest(folder.path, { hostVersion: "0.1.0", shipped: true });
    assert.match(failure ?? "", /plugin\.yaml: no such file/);
  });

  it("is read the same from the whole sample as JSON", async () => {
    const { manifest } = await load(whole);
    const again = await load(JSON.stringify(parse(whole)));
    assert.deepEqual({ ...again.manifest, folder: "" }, { ...manifest, folder: "" });
  });
});
