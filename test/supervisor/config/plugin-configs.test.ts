import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { writeFileSync } from "node:fs";
import { isHostError } from "#proto/wire/errors.ts";
import { readConfig } from "../../../supervisor/config/load.ts";
import { manifestDefaults, pluginDefaults } from "../../../supervisor/config/manifest-defaults.ts";
import type { Manifest } from "../../../supervisor/config/manifest.ts";
import { pluginConfigs, type PluginConfigs, unusedConfigs } from "../../../supervisor/config/plugin-configs.ts";
import type { TempFolder } from "../../harness/temp-folder.ts";
import { makeFiles } from "./sample-files.ts";

const uri = "acme.thing.v1.x";

const schema = {
  type: "object",
  properties: {
    size: { type: "integer", minimum: 1, default: 5 },
    mode: { enum: ["fast", "safe"], default: "safe" },
    token: { type: "string", writeOnly: true },
    nested: { type: "object", properties: { on: { type: "boolean", default: true } }, default: {} },
    list: { type: "array", items: { $ref: "#/$defs/entry" } },
  },
  additionalProperties: false,
  $defs: { entry: { type: "object", properties: { password: { type: "string", writeOnly: true } } } },
};

interface Sample {
  readonly configs: PluginConfigs;
  readonly manifest: Manifest;
  readonly folder: TempFolder;
}

/** One plugin with that schema, configured by `text`. */
async function sample(text: string, schemaText = JSON.stringify(schema), env: NodeJS.ProcessEnv = {}): Promise<Sample> {
  const folder = await makeFiles({ "c.yaml": text.replaceAll("FOLDER", "."), "p/s.json": schemaText });
  writeFileSync(folder.join("c.yaml"), text.replaceAll("FOLDER", folder.path));
  const plugin = { ...pluginDefaults("acme.thing.v1", "x"), config: "s.json" };
  const manifest = { ...manifestDefaults("acme", "native"), folder: folder.join("p"), plugins: [plugin] };
  const { config } = await readConfig({ file: folder.join("c.yaml"), privileged: true, env });
  return { configs: await pluginConfigs(config, [manifest], env), manifest, folder };
}

describe("a plugin's config", () => {
  it("has its schema's defaults, on every level that is there", async () => {
    const { configs, manifest, folder } = await sample("");
    await using _ = folder;
    assert.deepEqual(configs.configOf(manifest, uri), { size: 5, mode: "safe", nested: { on: true } });
    assert.deepEqual(configs.problems, []);
  });

  it("keeps what the file says", async () => {
    const { configs, manifest, folder } = await sample(`plugins: {${uri}: {size: 9, nested: {on: false}}}\n`);
    await using _ = folder;
    assert.deepEqual(configs.configOf(manifest, uri), { size: 9, mode: "safe", nested: { on: false } });
  });

  it("of a differ that knows stream processors has the host's, beneath its own", async () => {
    const { configs, manifest, folder } = await sample(
      `
stream_processors: { one: { accepts: [a], returns: b, path: host }, two: { accepts: [a], returns: b, path: host } }
plugins: { io.containerd.differ.v1.x: { stream_processors: { two: { path: own } } } }
`,
      JSON.stringify({ type: "object", properties: { stream_processors: { type: "object", default: {} } } }),
    );
    await using _ = folder;
    const plugin = { ...pluginDefaults("io.containerd.differ.v1", "x"), config: "s.json" };
    const differ = { ...manifest, plugins: [plugin] };
    const { config } = await readConfig({ file: folder.join("c.yaml"), privileged: true, env: {} });
    const own = (await pluginConfigs(config, [differ], {})).configOf(differ, "io.containerd.differ.v1.x");
    const processors = own["stream_processors"] as Readonly<Record<string, { path: string }>>;
    assert.deepEqual([processors["one"]?.path, processors["two"]?.path], ["host", "own"]);
    assert.deepEqual(configs.configOf(manifest, uri), { stream_processors: {} }, "others have what they are given");
  });

  it("that is wrong names file, line and what was expected, all of it at once", async () => {
    const { configs, manifest, folder } = await sample(
      `plugins:\n  ${uri}:\n    size: 0\n    mode: quick\n    tokn: secret-word\n    nested: {on: 1}\n`,
    );
    await using _ = folder;
    const file = folder.join("c.yaml");
    const expected = [
      `${file}:5:5: plugins."${uri}".tokn: unknown key "tokn"; did you mean "token"?`,
      `${file}:3:5: plugins."${uri}".size: must be >= 1`,
      `${file}:4:5: plugins."${uri}".mode: expected one of fast, safe`,
      `${file}:6:14: plugins."${uri}".nested.on: expected boolean`,
    ];
    assert.throws(
      () => configs.configOf(manifest, uri),
      (error: unknown) => {
        assert.ok(isHostError(error, "invalid-argument"));
        for (const text of expected) assert.ok(error.message.includes(text), `${text}\n${error.message}`);
        assert.ok(!error.message.includes("secret-word"));
        return true;
      },
    );
    assert.equal(configs.problems.length, 4);
  });

  for (const [title, schemaText, message] of [
    ["is no JSON", "{", /config schema .*s\.json: /],
    ["is no object", "[]", /expected a JSON object/],
    [
      "refers to the network",
      '{"$ref": "https://example.com/x.json"}',
      /refers to https:.*may only refer to its own parts/,
    ],
    ["refers to a file", '{"properties": {"a": {"$ref": "/etc/x.json"}}}', /refers to \/etc\/x\.json/],
    ["is no schema", '{"type": "strnig", "required": ["a"]}', /config schema of acme\.thing\.v1\.x: /],
  ] as const) {
    it(`fails its package when the schema ${title}`, async () => {
      const { configs, manifest, folder } = await sample("", schemaText);
      await using _ = folder;
      assert.throws(() => configs.configOf(manifest, uri), message);
      assert.deepEqual(configs.shownConfigOf(manifest, uri), {});
    });
  }

  it("must have what its schema requires, even if nothing is configured", async () => {
    const { configs, manifest, folder } = await sample("", '{"required": ["key"]}');
    await using _ = folder;
    assert.throws(() => configs.configOf(manifest, uri), /the key "key" is missing/);
  });

  it("that nobody reads is told, with the nearest name", async () => {
    await using folder = await makeFiles({ "c.yaml": "plugins: {acme.thing.v1.xx: {}, other.thing.v1.y: {}}\n" });
    const { config } = await readConfig({ file: folder.join("c.yaml"), privileged: true, env: {} });
    assert.deepEqual(unusedConfigs(config, [pluginDefaults("acme.thing.v1", "x")]), [
      `no installed plugin is named acme.thing.v1.xx; did you mean "${uri}"?`,
      "no installed plugin is named other.thing.v1.y; its config is not used",
    ]);
  });
});

describe("a secret", () => {
  it("is read from its file at each start, and hidden when shown", async () => {
    const { configs, manifest, folder } = await sample(
      `plugins: {${uri}: {token: {fromFile: FOLDER/token}, list: [{password: plain}]}}\n`,
    );
    await using _ = folder;
    assert.throws(() => configs.configOf(manifest, uri), /cannot read the secret .*\/token: no such file/);
    for (const [content, value] of [
      ["first\n", "first"],
      ["second", "second"],
    ] as const) {
      writeFileSync(folder.join("token"), content);
      assert.equal(configs.configOf(manifest, uri)["token"], value);
    }
    assert.deepEqual(configs.shownConfigOf(manifest, uri), {
      token: "(hidden)",
      list: [{ password: "(hidden)" }],
      size: 5,
      mode: "safe",
      nested: { on: true },
    });
  });

  it("is read from systemd's credentials", async () => {
    await using credentials = await makeFiles({ api: "word" });
    const env = { CREDENTIALS_DIRECTORY: credentials.path };
    const { configs, manifest, folder } = await sample(
      `plugins: {${uri}: {token: {fromCredential: api}}}\n`,
      undefined,
      env,
    );
    await using _ = folder;
    assert.equal(configs.configOf(manifest, uri)["token"], "word");
  });

  for (const [text, message] of [
    ["{fromCredential: api}", /the service manager passed no credentials; add LoadCredential=api/],
    ["{fromCredential: ../x}", /is no name of a credential/],
    ["{fromFile: relative}", /is not an absolute path/],
    ["{fromFile: /dev/zero}", /is not a regular file/],
    ["{fromFile: FOLDER/binary}", /is not UTF-8 text/],
  ] as const) {
    it(`that is ${text} fails its package alone, with what to do`, async () => {
      const { configs, manifest, folder } = await sample(`plugins: {${uri}: {token: ${text}}}\n`);
      await using _ = folder;
      writeFileSync(folder.join("binary"), Buffer.from([0xff, 0xfe, 0]));
      assert.throws(() => configs.configOf(manifest, uri), message);
      assert.equal(configs.problems.length, 1);
      assert.equal(configs.problems[0]?.entry, `plugins.${uri}`);
    });
  }
});
