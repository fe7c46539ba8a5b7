import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDuration, parseDurationMs } from "../../../supervisor/config/duration.ts";
import { nearestWord } from "../../../supervisor/config/nearest.ts";
import { parseRange, parseVersion } from "../../../supervisor/config/semver.ts";
import { formatSize, parseSizeBytes } from "../../../supervisor/config/size.ts";

const durations: readonly [value: unknown, ms: number | undefined][] = [
  ["10s", 10_000],
  ["1m30s", 90_000],
  ["1.5h", 5_400_000],
  ["100ms", 100],
  [".5s", 500],
  ["250us", 0.25],
  ["3µs", 0.003],
  ["+2s", 2000],
  ["0", 0],
  ["0s", 0],
  ["5", 5000],
  [5, 5000],
  [0.5, 500],
  ["", undefined],
  ["s", undefined],
  ["-1s", undefined],
  [-1, undefined],
  ["10 s", undefined],
  ["1d", undefined],
  ["1s2", undefined],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  [true, undefined],
  [null, undefined],
  ["1".repeat(100), undefined],
];

const sizes: readonly [value: unknown, bytes: number | undefined][] = [
  ["16MiB", 16_777_216],
  ["64K", 65_536],
  ["10MB", 10_000_000],
  ["1.5GiB", 1_610_612_736],
  ["4 TiB", 4 * 2 ** 40],
  ["100", 100],
  [100, 100],
  [0, 0],
  ["0.3B", undefined],
  [1.5, undefined],
  [-1, undefined],
  ["-1K", undefined],
  ["K", undefined],
  ["1XB", undefined],
  ["9999999TiB", undefined],
  [false, undefined],
];

const ranges: readonly [range: string, yes: string, no: string][] = [
  [">=0.3", "0.3.0 0.10.1 2.0.0", "0.2.9 0.3.0-rc.1"],
  ["<2", "1.9.9 0.0.1", "2.0.0 3.1.0"],
  [">=0.1 <0.3", "0.1.0 0.2.9", "0.0.9 0.3.0"],
  [">= 0.1 < 0.3", "0.1.0", "0.3.0"],
  ["^1.2", "1.2.0 1.9.0", "1.1.9 2.0.0"],
  ["^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"],
  ["^0.0.3", "0.0.3", "0.0.4"],
  ["~1.4.2", "1.4.2 1.4.9", "1.4.1 1.5.0"],
  ["~1", "1.0.0 1.9.9", "2.0.0"],
  ["1.2", "1.2.0 1.2.9", "1.3.0"],
  ["=1.2.3", "1.2.3", "1.2.4"],
  ["1.x", "1.0.0 1.5.5", "2.0.0 0.9.0"],
  ["*", "0.0.1 9.9.9", ""],
  [">1", "2.0.0", "1.0.0 1.9.9"],
  ["<=1.2", "1.2.9 0.1.0", "1.3.0"],
  ["<1 || >=2", "0.9.0 2.0.0", "1.0.0"],
];

describe("durations", () => {
  for (const [value, ms] of durations) {
    it(`${JSON.stringify(value)} is ${ms} ms`, () => assert.equal(parseDurationMs(value), ms));
  }
  for (const [ms, text] of [
    [0, "0s"],
    [100, "100ms"],
    [1500, "1.5s"],
    [90_000, "1m30s"],
    [3_600_000, "1h"],
  ] as const) {
    it(`${ms} ms print as ${text}, which reads the same again`, () => {
      assert.equal(formatDuration(ms), text);
      assert.equal(parseDurationMs(text), ms);
    });
  }
});

describe("sizes", () => {
  for (const [value, bytes] of sizes) {
    it(`${JSON.stringify(value)} is ${bytes} bytes`, () => assert.equal(parseSizeBytes(value), bytes));
  }
  it("print in the largest unit that leaves them whole", () => {
    assert.deepEqual([0, 1000, 1024, 3 * 2 ** 30].map(formatSize), ["0", "1000", "1KiB", "3GiB"]);
  });
});

describe("version ranges", () => {
  for (const [text, yes, no] of ranges) {
    it(`${text} holds for ${yes} and not for ${no}`, () => {
      const holds = (versions: string): boolean[] =>
        versions
          .split(" ")
          .filter(Boolean)
          .map((each) => parseRange(text)?.(parseVersion(each) as never) ?? false);
      assert.ok(holds(yes).every(Boolean), yes);
      assert.ok(!holds(no).some(Boolean), no);
    });
  }
  for (const text of ["", "abc", ">=", ">=1.2.3.4", "1 2 x y", ">>1"]) {
    it(`${JSON.stringify(text)} is no range`, () => assert.equal(parseRange(text), undefined));
  }
});

describe("the nearest word", () => {
  const words = ["address", "disabled_plugins", "noNewPrivileges", "uid", "gid"];
  for (const [word, nearest] of [
    ["adress", "address"],
    ["disable_plugins", "disabled_plugins"],
    ["disabledPlugins", "disabled_plugins"],
    ["no_new_privileges", "noNewPrivileges"],
    ["udi", "uid"],
    ["colour", undefined],
    ["x".repeat(10_000), undefined],
  ] as const) {
    it(`to ${word.slice(0, 20)} is ${nearest}`, () => assert.equal(nearestWord(word, words), nearest));
  }
});
