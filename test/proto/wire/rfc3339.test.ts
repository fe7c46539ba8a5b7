import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatRfc3339, parseRfc3339 } from "#proto/wire/rfc3339.ts";

describe("a time in RFC 3339", () => {
  it("is written in UTC without trailing zeros", () => {
    assert.equal(formatRfc3339(1_700_000_000_000_000_000n), "2023-11-14T22:13:20Z");
    assert.equal(formatRfc3339(1_700_000_000_120_000_000n), "2023-11-14T22:13:20.12Z");
    assert.equal(formatRfc3339(1_700_000_000_000_000_001n), "2023-11-14T22:13:20.000000001Z");
    assert.equal(formatRfc3339(-1n), "1969-12-31T23:59:59.999999999Z");
  });

  it("is read with any offset and any fraction", () => {
    assert.equal(parseRfc3339("2023-11-14T22:13:20Z"), 1_700_000_000_000_000_000n);
    assert.equal(parseRfc3339("2023-11-14T23:13:20.000000001+01:00"), 1_700_000_000_000_000_001n);
    assert.equal(parseRfc3339("1969-12-31T23:59:59.999999999Z"), -1n);
  });

  it("is nothing else", () => {
    for (const text of [
      "",
      "x",
      "2023-11-14",
      "2023-02-30T00:00:00Z",
      "2023-11-14T25:00:00Z",
      "2023-11-14 22:13:20Z",
    ]) {
      assert.equal(parseRfc3339(text), undefined, text);
    }
  });
});
