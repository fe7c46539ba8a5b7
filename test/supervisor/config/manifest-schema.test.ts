import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { loadManifest } from "../../../supervisor/config/manifest-file.ts";
import { searchedFolders } from "../../../supervisor/config/package-folders.ts";
import { discoverPackages } from "../../../supervisor/config/discover-packages.ts";
import { makeFiles } from "./sample-files.ts";
import { invalidManifests, validManifests } from "./sample-manifests.ts";

const schemaFile = join(import.meta.dirname, "../../../supervisor/config/manifest.schema.json");
const ajv = new Ajv2020({
  strict: true,
  allErrors: true,
  strictRequired: false,
  strictTypes: false,
  strictTuples: false,
});
const validate = ajv.compile(JSON.parse(readFileSync(schemaFile, "utf8")) as object);

async function readerTakes(manifest: unknown): Promise<string | undefined> {
  await using folder = await makeFiles({ "plugin.yaml": JSON.stringify(manifest) });
  return (await loadManifest(folder.path, { hostVersion: "0.3.1", shipped: false })).failure;
}

describe("the manifest's JSON schema and the host's reader", () => {
  for (const [index, manifest] of validManifests.entries()) {
    it(`both take valid manifest ${index}`, async () => {
      assert.ok(validate(manifest), JSON.stringify(validate.errors));
      assert.equal(await readerTakes(manifest), undefined);
    });
  }

  for (const [title, manifest] of invalidManifests) {
    it(`both refuse ${title}`, async () => {
      assert.ok(!validate(manifest), "the schema takes it");
      assert.notEqual(await readerTakes(manifest), undefined, "the reader takes it");
    });
  }

  it("know the same keys", async () => {
    const schema = JSON.parse(readFileSync(schemaFile, "utf8")) as Schema;
    const manifest = Object.fromEntries(Object.keys(schema.properties).map((key) => [key, null]));
    const plugin = Object.fromEntries(Object.keys(schema.$defs.plugin.properties).map((key) => [key, null]));
    await using folder = await makeFiles({ "plugin.yaml": JSON.stringify({ ...manifest, plugins: [plugin] }) });
    const { problems } = await loadManifest(folder.path, { hostVersion: "0.3.1", shipped: false });
    assert.deepEqual(
      problems.filter(({ severity }) => severity === "warning"),
      [],
    );
  });

  it("agree on every shipped package", async () => {
    const { packages } = await discoverPackages(searchedFolders({ pluginDirs: [] }).slice(0, 1), {
      hostVersion: "0.3.1",
    });
    assert.ok(packages.length > 0);
    for (const { manifest, failure } of packages) {
      assert.equal(failure, undefined);
      assert.deepEqual(manifest.warnings, []);
      assert.ok(
        validate(parse(readFileSync(join(manifest.folder, "plugin.yaml"), "utf8"))),
        JSON.stringify(validate.errors),
      );
    }
  });
});

interface Schema {
  readonly properties: object;
  readonly $defs: { readonly plugin: { readonly properties: object } };
}
