import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, truncateSync } from "node:fs";
import { describe, it } from "node:test";
import { readConfig } from "../../../supervisor/config/load.ts";
import { makeFiles, readSample } from "./sample-files.ts";

/** A deadline for each: none may take long, whatever it holds. */
const limitMs = 60_000;

const many = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join("");
const letters = "abcdefghij";
const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${many(9, (i) => `${letters[i + 1]}: &${letters[i + 1]} [${many(9, () => `*${letters[i]},`)}]\n`)}`;

const cases: readonly [title: string, file: string, content: string | Buffer, expected: RegExp][] = [
  [
    "aliases that would grow it a millionfold",
    "c.yaml",
    bomb,
    /^error: c\.yaml: not valid YAML: Excessive alias count/,
  ],
  [
    "an alias inside its own anchor",
    "c.yaml",
    "a: &a\n  b: *a\n",
    /^error: c\.yaml:\d+:\d+: nested deeper than 64 levels/,
  ],
  ["brackets without end", "c.yaml", "[".repeat(500_000), /^error: c\.yaml:1:201: nested deeper than 200/],
  ["braces without end", "c.yaml", "{a: ".repeat(100_000), /nested deeper than 200/],
  ["lists in lists", "c.yaml", `${"- ".repeat(200_000)}x\n`, /nested too deeply/],
  ["maps in maps", "c.yaml", many(1400, (i) => `${" ".repeat(i)}a:\n`), /nested too deeply|nested deeper/],
  [
    "the key __proto__",
    "c.yaml",
    "root: /x\n__proto__: {a: 1}\n",
    /^error: c\.yaml:2:1: the key "__proto__" is not allowed/,
  ],
  [
    "the key __proto__ in a plugin's config",
    "c.yaml",
    "plugins: {a.b.c.d: {__proto__: {a: 1}}}\n",
    /^error: c\.yaml:1:\d+: the key "__proto__"/,
  ],
  ["the table __proto__", "c.toml", "[__proto__]\na = 1\n", /__proto__/],
  ["an open quote", "c.yaml", 'grpc:\n  address: "/run/x\n', /^error: c\.yaml:3:1: not valid YAML: Missing closing/],
  ["one key twice", "c.yaml", "root: /a\nroot: /b\n", /^error: c\.yaml:2:1: the key "root" stands twice/],
  ["a tab for indentation", "c.yaml", "grpc:\n\taddress: /x\n", /^error: c\.yaml:2:1: not valid YAML: Tabs/],
  ["two documents", "c.yaml", "root: /a\n---\nroot: /b\n", /^error: c\.yaml:2:1: more than one YAML document/],
  ["text instead of keys", "c.yaml", "just text\n", /^error: c\.yaml: expected a map of keys, got "just text"/],
  ["a list instead of keys", "c.yaml", "[1, 2]\n", /expected a map of keys, got a list/],
  ["bytes that are no text", "c.yaml", Buffer.from([0x72, 0xff, 0xfe, 0x00]), /^error: c\.yaml: is not UTF-8 text/],
  ["another encoding", "c.yaml", Buffer.from("root: /caf\xe9\n", "latin1"), /is not UTF-8 text/],
  ["an infinite number", "c.yaml", "oom_score: .inf\n", /oom_score: Infinity is no usable number/],
  ["a number beyond all types", "c.toml", "oom_score = 99999999999999999999\n", /^error: c\.toml:1:13: not valid TOML/],
  ["tables in tables without end", "c.toml", `a = ${"[".repeat(100_000)}`, /^error: c\.toml:1:\d+: not valid TOML/],
  ["a NUL in a path", "c.yaml", 'root: "/a\\0b"\n', /^error: c\.yaml:1:1: root: expected a string/],
];

describe("a hostile config ends with a clear error", { timeout: limitMs * 3 }, () => {
  for (const [title, file, content, expected] of cases) {
    it(title, { timeout: limitMs }, async () => {
      const { texts } = await readSample({ [file]: content });
      const errors = texts.filter((text) => text.startsWith("error"));
      assert.equal(errors.length, 1, texts.join("\n"));
      assert.match(errors[0] ?? "", expected);
      assert.equal(({} as Record<string, unknown>)["a"], undefined);
    });
  }

  it("60,000 unknown keys, of which 200 are told", { timeout: limitMs }, async () => {
    const { problems } = await readSample({ "c.yaml": many(60_000, (i) => `k${i}: 1\n`) });
    assert.equal(problems.length, 200);
  });

  it("an error behind them is told all the same", { timeout: limitMs }, async () => {
    const { texts } = await readSample({
      "c.yaml": `${many(300, (i) => `k${i}: 1\n`)}routes: 5\n`.replace("k0: 1", "x-k: 1"),
    });
    assert.equal(texts.filter((text) => text.startsWith("error")).length, 1);
  });

  it("100 MiB", { timeout: limitMs }, async () => {
    await using folder = await makeFiles({ "c.yaml": "root: /x\n" });
    truncateSync(folder.join("c.yaml"), 100 * 1024 * 1024);
    const { problems } = await readConfig({ file: folder.join("c.yaml"), privileged: true, env: {} });
    assert.match(problems[0]?.message ?? "", /has more than 1048576 bytes/);
  });

  for (const [title, path] of [
    ["a device", "/dev/zero"],
    ["a folder", "/"],
  ] as const) {
    it(title, { timeout: limitMs }, async () => {
      const { problems } = await readConfig({ file: path, privileged: true, env: {} });
      assert.match(problems[0]?.message ?? "", /is not a regular file|is a folder/);
    });
  }

  it("a FIFO that nobody writes to", { timeout: limitMs }, async () => {
    await using folder = await makeFiles({});
    spawnSync("mkfifo", [folder.join("c.yaml")]);
    const { problems } = await readConfig({ file: folder.join("c.yaml"), privileged: true, env: {} });
    assert.match(problems[0]?.message ?? "", /is not a regular file/);
  });

  it("a file that may not be read", { timeout: limitMs }, async () => {
    await using folder = await makeFiles({ "c.yaml": "root: /x\n" });
    chmodSync(folder.join("c.yaml"), 0);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534); // root may read all
    try {
      const { problems } = await readConfig({ file: folder.join("c.yaml"), privileged: true, env: {} });
      assert.match(problems[0]?.message ?? "", /permission denied/);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it("an empty file, and one of comments alone, are fine", async () => {
    for (const text of ["", "\n", "# nothing\n", "---\n", "\uFEFFroot: /x\n"])
      assert.deepEqual((await readSample({ "c.yaml": text })).texts, []);
  });
});

describe("every error is told at once", () => {
  it("with line, key and what was expected", async () => {
    const { texts } = await readSample({
      "c.yaml": `version: two
root: [a]
grpc: {uid: -1, adress: /x}
disabled_plugins: x
plugins: [1]
timeouts: {a: soon}
oom_score: 5000
boot: {wait: -1s}
routes: {a.B: 5}
plugin_dirs: [relative]
metrics: {grpc_histogram: yes}
debug: {level: wran}
gprc: 5
`,
    });
    assert.deepEqual(texts, [
      'error: c.yaml:1:1: version: expected a whole number of 0 or more, got "two"',
      "error: c.yaml:2:1: root: expected a string, got a list",
      "error: c.yaml:3:8: grpc.uid: expected a whole number from 0 to 4294967294, got -1",
      'warning: c.yaml:3:17: grpc.adress: unknown key "adress"; did you mean "address"?',
      'error: c.yaml:4:1: disabled_plugins: expected a list, got "x"',
      "error: c.yaml:5:1: plugins: expected a map of keys, got a list",
      'error: c.yaml:6:12: timeouts.a: expected a duration, got "soon"; write it like "10s" or "1m30s"',
      "error: c.yaml:7:1: oom_score: expected a whole number from -1000 to 1000, got 5000",
      'error: c.yaml:8:8: boot.wait: expected a duration, got "-1s"; write it like "10s" or "1m30s"',
      'error: c.yaml:9:10: routes."a.B": expected a package: a name of a-z, 0-9 and -, beginning with a letter, at most 32 long',
      'error: c.yaml:10:15: plugin_dirs[0]: expected an absolute path, got "relative"',
      'error: c.yaml:11:11: metrics.grpc_histogram: expected true or false, got "yes"',
      'error: c.yaml:12:9: debug.level: expected one of trace, debug, info, warn, error, fatal, panic, got "wran"; did you mean "warn"?',
      'warning: c.yaml:13:1: gprc: unknown key "gprc"; did you mean "grpc"?',
    ]);
  });

  it("and an entry that is wrong fails alone", async () => {
    const { config, problems } = await readSample({
      "c.yaml": `
proxy_plugins:
  good: {type: snapshot, address: /good.sock}
  bad: {type: snapshoot, address: relative}
  ../up: {type: snapshot, address: /x}
packages:
  acme: {limits: {memory: lots}}
  fine: {limits: {memory: 1GiB}}
`,
    });
    assert.ok(problems.every(({ entry }) => entry !== undefined));
    assert.deepEqual([...config.proxyPlugins.keys()], ["good"]);
    assert.deepEqual([...config.packages.keys()], ["fine"]);
    assert.deepEqual([...config.entryErrors.keys()].toSorted(), [
      "packages.acme",
      "proxy_plugins.../up",
      "proxy_plugins.bad",
    ]);
    assert.match(
      config.entryErrors.get("proxy_plugins.bad") ?? "",
      /unknown type "snapshoot".*did you mean "snapshot"\?/,
    );
  });
});
