import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { test } from "node:test";
import { formatTable } from "../../../supervisor/cli/table.ts";
import { ago, goTime, isoTime } from "../../../supervisor/cli/time-text.ts";

test("columns are as wide as their widest cell, and only the last is cut at the edge", () => {
  const rows = [
    ["a", "a long reason"],
    ["longer", "b"],
  ];
  assert.equal(formatTable(["X", "WHY"], rows, undefined), "X        WHY\na        a long reason\nlonger   b\n");
  assert.equal(formatTable(["X", "WHY"], rows, 18), "X        WHY\na        a long r…\nlonger   b\n");
});

test("a cell with a newline stays on its line", () => {
  assert.equal(formatTable(["A"], [["x\n  y"]], undefined), "A\nx y\n");
});

test("times are shown in one unit, as Go prints them, or as RFC 3339", () => {
  const at = create(TimestampSchema, { seconds: 1_700_000_000n, nanos: 1_500_000 });
  const later = (seconds: number) => ago(at, 1_700_000_000_000 + seconds * 1000);
  const units = [later(-5), later(119), later(120), later(7199), later(7200), later(172_800)];
  assert.deepEqual(units, ["0s", "119s", "2m", "119m", "2h", "2d"]);
  assert.equal(goTime(at), "2023-11-14 22:13:20.0015 +0000 UTC");
  assert.equal(isoTime(at), "2023-11-14T22:13:20.001Z");
  assert.deepEqual([ago(undefined, 0), goTime(undefined), isoTime(undefined)], ["-", "-", null]);
});
