import assert from "node:assert/strict";
import { test } from "node:test";
import { formatLogLine, isLogged } from "../../supervisor/log-line.ts";

process.env["TZ"] = "UTC";
const timeMs = Date.UTC(2026, 0, 2, 3, 4, 5) + 6.789;

test("a text line is logrus's: quoted where needed, fields in order, undefined ones left out", () => {
  const fields = { version: "1.0.0", address: "/run/a b.sock", code: 3, left: undefined, time: "x" };
  assert.equal(
    formatLogLine("text", { timeMs, level: "warn", message: "starting bulkhead", fields }),
    'time="2026-01-02T03:04:05.006789000Z" level=warning msg="starting bulkhead" ' +
      'address="/run/a b.sock" code=3 fields.time=x version=1.0.0',
  );
});

test("one word and an empty field stand without quotes, line ends and quotes are escaped", () => {
  const line = (message: string, value: string): string =>
    formatLogLine("text", { timeMs, level: "info", message, fields: { value } }).replace(/^.* level/, "level");
  assert.equal(line("serving...", ""), "level=info msg=serving... value=");
  assert.equal(line('a"b', "c\nd"), 'level=info msg="a\\"b" value="c\\nd"');
});

test("a JSON line has time, level and msg beside its fields", () => {
  assert.deepEqual(
    JSON.parse(formatLogLine("json", { timeMs, level: "error", message: "m", fields: { n: 1, msg: "f" } })),
    {
      time: "2026-01-02T03:04:05.006789000Z",
      level: "error",
      msg: "m",
      n: 1,
      "fields.msg": "f",
    },
  );
});

test("other time zones show their offset", () => {
  process.env["TZ"] = "Asia/Kolkata";
  assert.match(formatLogLine("text", { timeMs, level: "info", message: "m" }), /2026-01-02T08:34:05\.006789000\+05:30/);
  process.env["TZ"] = "America/St_Johns";
  assert.match(formatLogLine("text", { timeMs, level: "info", message: "m" }), /2026-01-01T23:34:05\.006789000-03:30/);
  process.env["TZ"] = "UTC";
});

test("a level hides what is less severe", () => {
  assert.equal(isLogged("debug", "info"), false);
  assert.equal(isLogged("info", "info"), true);
  assert.equal(isLogged("error", "warn"), true);
  assert.equal(isLogged("error", "fatal"), false);
});
