import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { discoverPackages, type PackageFolder } from "../../../supervisor/config/discover-packages.ts";
import { makeFiles } from "./sample-files.ts";
import { smallest } from "./sample-manifests.ts";

const named = (name: string): string => smallest.replace("acme", name);
const folder = (path: string, more: Partial<PackageFolder> = {}): PackageFolder => ({
  path,
  shipped: false,
  optional: false,
  ...more,
});

describe("packages", () => {
  it("are the folders that hold a plugin.yaml, by name; others are warned of, unless they were shipped", async () => {
    await using files = await makeFiles({
      "one/b/plugin.yaml": named("b"),
      "one/a/plugin.yaml": named("a"),
      "one/empty/README": "",
      "one/file": "",
      "one/.hidden/x": "",
      "two/c/plugin.yaml": named("c"),
      "two/empty/README": "",
    });
    const found = await discoverPackages(
      [
        folder(files.join("one"), { shipped: true }),
        folder(files.join("two")),
        folder(files.join("gone"), { optional: true }),
      ],
      { hostVersion: "0.1.0" },
    );
    assert.deepEqual(
      found.packages.map(({ manifest }) => [manifest.name, manifest.shipped]),
      [
        ["a", true],
        ["b", true],
        ["c", false],
      ],
    );
    assert.equal(found.packages[0]?.manifest.folder, files.join("one/a"));
    assert.deepEqual(found.warnings, [`${files.join("two/empty")} holds no plugin.yaml and is ignored`]);
  });

  it("that have one name: the later is failed, whatever its folder is called", async () => {
    await using files = await makeFiles({
      "one/x/plugin.yaml": named("same"),
      "two/y/plugin.yaml": named("same"),
      "two/z/plugin.yaml": named("same"),
    });
    const { packages } = await discoverPackages([folder(files.join("one")), folder(files.join("two"))], {
      hostVersion: "0.1.0",
    });
    assert.deepEqual(
      packages.map(({ manifest, failure }) => [manifest.name, failure !== undefined]),
      [
        ["same", false],
        ["same~2", true],
        ["same~3", true],
      ],
    );
    assert.match(packages[1]?.failure ?? "", /two\/y: the package name same is taken by .*one\/x; remove one of them/);
  });

  it("in a named folder that is not there are a warning", async () => {
    const { packages, warnings } = await discoverPackages([folder("/nowhere/at/all")], { hostVersion: "0.1.0" });
    assert.deepEqual(packages, []);
    assert.match(warnings[0] ?? "", /cannot look for packages in \/nowhere\/at\/all: ENOENT/);
  });
});

describe("the cache of parsed manifests", () => {
  it("counts only for the very text it was made of, and a broken one is made anew", async () => {
    await using files = await makeFiles({ "p/a/plugin.yaml": named("a"), "p/b/plugin.yaml": named("b") });
    const cacheFile = files.join("cache.json");
    const names = async (): Promise<string[]> => {
      const { packages } = await discoverPackages([folder(files.join("p"))], { hostVersion: "0.1.0", cacheFile });
      return packages.map(({ manifest, failure }) => failure ?? manifest.name);
    };
    assert.deepEqual(await names(), ["a", "b"]);
    const cached = readFileSync(cacheFile, "utf8");
    assert.deepEqual(await names(), ["a", "b"]);
    assert.equal(readFileSync(cacheFile, "utf8"), cached);

    writeFileSync(files.join("p/a/plugin.yaml"), named("c"));
    assert.deepEqual(await names(), ["c", "b"]);
    for (const broken of ["", "{", "[]", '{"x": 5}', "null"]) {
      writeFileSync(cacheFile, broken);
      assert.deepEqual(await names(), ["c", "b"], broken);
    }
    rmSync(files.join("p/b"), { recursive: true });
    assert.deepEqual(await names(), ["c"]);
    assert.ok(!readFileSync(cacheFile, "utf8").includes("name: b"), "what is gone is forgotten");
  });

  it("does not hide where a manifest is wrong", async () => {
    await using files = await makeFiles({ "p/a/plugin.yaml": `${named("a")}singleton: perhaps\n` });
    const options = { hostVersion: "0.1.0", cacheFile: files.join("cache.json") };
    for (const _ of [1, 2]) {
      const { packages } = await discoverPackages([folder(files.join("p"))], options);
      assert.match(packages[0]?.failure ?? "", /plugin\.yaml:6:1: singleton: expected true or false/);
    }
  });

  it("that cannot be written is no harm", async () => {
    await using files = await makeFiles({ "p/a/plugin.yaml": named("a") });
    const options = { hostVersion: "0.1.0", cacheFile: "/proc/nowhere/cache.json" };
    assert.equal((await discoverPackages([folder(files.join("p"))], options)).packages.length, 1);
    assert.ok(!existsSync("/proc/nowhere"));
  });
});
