import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pluginDefaults } from "../../../supervisor/config/manifest-defaults.ts";
import { pluginConfigOf } from "../../../supervisor/config/plugin-configs.ts";
import { readSample } from "./sample-files.ts";

/** The keys and values of the file that Debian 12 ships with containerd 1.6.20. */
const debian = `# written anew for this test
version = 2
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"
`;

const versionOne = `
plugin_dir = "/opt/containerd/plugins"
root = "/srv/ctrd"
disabled_plugins = ["aufs"]
required_plugins = ["bolt"]
[grpc]
  address = "/run/ctrd.sock"
  tcp_address = "127.0.0.1:9"
[plugins]
  [plugins.scheduler]
    pause_threshold = 0.5
  [plugins.bolt]
    content_sharing_policy = "isolated"
`;

describe("a containerd file", () => {
  for (const name of ["config.toml", "config.conf"]) {
    it(`as Debian ships it is accepted as it is, named ${name}`, async () => {
      const { config, texts } = await readSample({ [name]: debian });
      assert.deepEqual(texts, []);
      assert.equal(config.version, 2);
      assert.deepEqual(config.plugins.get("io.containerd.internal.v1.opt"), { path: "/var/lib/containerd/opt" });
      assert.deepEqual(config.plugins.get("io.containerd.grpc.v1.cri"), {
        cni: { bin_dir: "/usr/lib/cni", conf_dir: "/etc/cni/net.d" },
      });
      assert.equal(config.root, "/var/lib/bulkhead", "defaults are ours");
    });
  }

  it("of version 1 names plugins by bare id, which is warned of", async () => {
    const { config, texts } = await readSample({ "config.toml": versionOne });
    assert.equal(config.version, 1);
    assert.deepEqual([config.disabledPlugins, config.requiredPlugins], [["aufs"], ["bolt"]]);
    const bolt = pluginDefaults("io.containerd.metadata.v1", "bolt");
    assert.deepEqual(pluginConfigOf(config, bolt), { content_sharing_policy: "isolated" });
    assert.deepEqual(
      texts.map((text) => text.replace(/;.*/, "")),
      [
        "warning: config.toml: version: containerd config version `1` names plugins by bare id",
        "warning: config.toml:2:1: plugin_dir: Go shared objects are not loaded",
        "warning: config.toml:8:3: grpc.tcp_address: TCP is not offered",
      ],
    );
  });

  it("may be imported, and imports others", async () => {
    const { config, texts } = await readSample({
      "config.toml": `imports = ["extra/*.toml"]\n${debian}`,
      "extra/one.toml": 'version = 2\n[timeouts]\n"io.containerd.timeout.task.state" = "7s"\n',
    });
    assert.deepEqual(texts, []);
    assert.equal(config.timeoutsMs.get("io.containerd.timeout.task.state"), 7000);
  });

  for (const [title, text, expected] of [
    [
      "a newer version",
      "version = 3\n",
      "config.toml:1:1: version: expected containerd config version equal to or less than `2`, got `3`",
    ],
    [
      "a disabled plugin that is no URI",
      'version = 2\ndisabled_plugins = ["cri"]\n',
      'config.toml:2:1: disabled_plugins[0]: invalid disabled plugin URI "cri" expect io.containerd.x.vx',
    ],
    [
      "a required plugin that is no URI",
      'version = 2\nrequired_plugins = ["a.b.c"]\n',
      'config.toml:2:1: required_plugins[0]: invalid required plugin URI "a.b.c" expect io.containerd.x.vx',
    ],
    [
      "a plugin's section that is no URI",
      "version = 2\n[plugins.x]\n",
      'config.toml:2:1: plugins.x: invalid plugin key URI "x" expect io.containerd.x.vx',
    ],
    ["a wrong type", "version = 2\nroot = 5\n", "config.toml:2:1: root: expected a string, got 5"],
    [
      "a wrong type deep below",
      'version = 2\n[grpc]\n  address = "/x"\n  uid = "0"\n',
      'config.toml:4:3: grpc.uid: expected a whole number from 0 to 4294967294, got "0"',
    ],
    ["half a line", "version = 2\nroot = \n", "config.toml:2:8: not valid TOML"],
    ["a table twice", "version = 2\n[grpc]\n[grpc]\n", "config.toml:3:2: not valid TOML"],
  ] as const) {
    it(`with ${title} is refused, pointing at it`, async () => {
      const { texts } = await readSample({ "config.toml": text });
      assert.equal(texts.length, 1, texts.join("\n"));
      assert.ok(texts[0]?.startsWith(`error: ${expected}`), texts[0]);
    });
  }
});
