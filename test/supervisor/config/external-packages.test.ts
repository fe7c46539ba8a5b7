import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { externalPackages } from "../../../supervisor/config/external-packages.ts";
import { manifestDefaults } from "../../../supervisor/config/manifest-defaults.ts";
import { applyOverride } from "../../../supervisor/config/manifest-override.ts";
import { expandVariables } from "../../../supervisor/config/variables.ts";
import { readSample } from "./sample-files.ts";

describe("proxy plugins", () => {
  for (const [type, full, service] of [
    ["snapshot", "io.containerd.snapshotter.v1", "containerd.services.snapshots.v1.Snapshots"],
    ["io.containerd.snapshotter.v1", "io.containerd.snapshotter.v1", "containerd.services.snapshots.v1.Snapshots"],
    ["content", "io.containerd.content.v1", "containerd.services.content.v1.Content"],
    ["diff", "io.containerd.differ.v1", "containerd.services.diff.v1.Diff"],
    ["sandbox", "io.containerd.sandbox.controller.v1", "containerd.services.sandbox.v1.Controller"],
  ] as const) {
    it(`of type ${type} serve ${service} to peers and are not on the main socket`, async () => {
      const { config } = await readSample({
        "c.yaml": `proxy_plugins: {soci: {type: ${type}, address: "unix:///run/soci.sock"}}\n`,
      });
      const [manifest] = externalPackages(config, new Set());
      assert.deepEqual([manifest?.name, manifest?.tier, manifest?.address], ["soci", "external", "/run/soci.sock"]);
      const [plugin] = manifest?.plugins ?? [];
      assert.deepEqual([plugin?.type, plugin?.id, plugin?.serves, plugin?.routes], [full, "soci", [service], []]);
      assert.deepEqual(plugin?.exports, { address: "/run/soci.sock" });
    });
  }

  it("get another package name where theirs is taken", async () => {
    const { config } = await readSample({ "c.yaml": "proxy_plugins: {native: {type: diff, address: /x}}\n" });
    const [manifest] = externalPackages(config, new Set(["native"]));
    assert.deepEqual([manifest?.name, manifest?.plugins[0]?.id], ["native-proxy", "native"]);
  });
});

describe("what the config says of a package", () => {
  it("wins key by key; lists and users are replaced", async () => {
    const { config } = await readSample({
      "c.yaml": "packages: {acme: {restart: {intensity: 9}, env: {B: 2x}, groups: [g], user: 7, limits: {cpu: 2}}}\n",
    });
    const base = { ...manifestDefaults("acme", "native"), env: { A: "1", B: "1" }, groups: ["old"] };
    const manifest = applyOverride(base, config.packages.get("acme"));
    assert.deepEqual(manifest.restart, { ...base.restart, intensity: 9 });
    assert.deepEqual(manifest.env, { A: "1", B: "2x" });
    assert.deepEqual([manifest.groups, manifest.user, manifest.limits.cpu], [["g"], "7", 2]);
    assert.deepEqual(manifest.parking, base.parking);
    assert.equal(applyOverride(base, undefined), base);
  });
});

it("a command's variables are put in place, and what is none stays", () => {
  const variables = {
    socket: "/s/$1.sock",
    root: "/r",
    state: "/st",
    host: "unix:/h",
    config: "/c",
    package: "p",
    os: "linux",
    arch: "amd64",
  };
  assert.equal(
    expandVariables("--listen=${socket} ${os}/${arch} ${HOME} $root ${constructor}", variables),
    "--listen=/s/$1.sock linux/amd64 ${HOME} $root ${constructor}",
  );
});
