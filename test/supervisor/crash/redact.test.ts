import assert from "node:assert/strict";
import { test } from "node:test";
import { redact, secretsIn } from "../../../supervisor/crash/redact.ts";

test("secrets of the config are hidden wherever they stand", () => {
  assert.equal(redact("got sesame, sent xsesamex", ["sesame"]), "got (hidden), sent x(hidden)x");
});

test("what looks like a secret is hidden, its name is not", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["password=hunter2 user=me", "password=(hidden) user=me"],
    ['{"api_key": "k-123", "size": 3}', '{"api_key": "(hidden)", "size": 3}'],
    ["Authorization: Bearer abc.def", "Authorization: Bearer (hidden)"],
    ["DB_PASSWORD: 'x y'", "DB_PASSWORD: '(hidden) y'"],
    ["postgres://me:pw@host/db", "postgres://me:(hidden)@host/db"],
    ["the token was refused", "the token was refused"],
    ["https://host/path?x=1", "https://host/path?x=1"],
  ];
  for (const [text, clean] of cases) assert.equal(redact(text, []), clean);
});

test("the secrets of a config are what the config for people hides, longest first, each line of long ones", () => {
  const value = {
    a: { token: "sesame", size: 7 },
    list: [{ key: "first line\nsecond line" }, { key: "open" }],
    pin: "12",
  };
  const shown = { a: { token: "(hidden)", size: 7 }, list: [{ key: "(hidden)" }, { key: "open" }], pin: "(hidden)" };
  assert.deepEqual(secretsIn(value, shown), ["second line", "first line", "sesame"]);
});
