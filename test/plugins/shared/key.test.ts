import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeKey, keyRangeEnd } from "../../../plugins/shared/database/key.ts";

const sorted = (names: readonly string[]): string[] =>
  [...names].sort((a, b) => Buffer.compare(encodeKey(["t", a]), encodeKey(["t", b])));

test("keys sort by the bytes of their parts, not by code units", () => {
  const names = ["", "A", "a", "a\0b", "a/b", "ab", "ü", "\u{ff5e}", "\u{1f600}"];
  assert.deepEqual(sorted([...names].reverse()), names);
});

test("no part can pass for two: a zero byte inside a part is told from its end", () => {
  assert.notDeepEqual(encodeKey(["a\0b"]), encodeKey(["a", "b"]));
  assert.notDeepEqual(encodeKey(["a", ""]), encodeKey(["a\0"]));
});

test("a range holds every key below its prefix and none beside it", () => {
  const prefix = encodeKey(["t", "ns"]);
  const end = keyRangeEnd(prefix);
  const inside = (key: Buffer): boolean => Buffer.compare(prefix, key) <= 0 && Buffer.compare(key, end) < 0;
  for (const name of ["", "a", "\0", "\u{10ffff}", "x".repeat(5000)]) assert.ok(inside(encodeKey(["t", "ns", name])));
  for (const namespace of ["n", "ns2", "ns.x", "nt"]) assert.ok(!inside(encodeKey(["t", namespace, "a"])));
});

test("long names fit into a key, and those that differ at their end only stay apart", () => {
  const long = "n".repeat(30_000);
  const key = encodeKey(["lease-resource", "n".repeat(76), long, `${long}a`, `${long}b`]);
  assert.ok(key.length < 1978, `${key.length} bytes`);
  assert.notDeepEqual(encodeKey([`${long}a`]), encodeKey([`${long}b`]));
});
