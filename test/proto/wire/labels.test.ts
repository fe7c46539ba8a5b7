import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseMaskPath, updateEntry } from "#proto/wire/field-mask.ts";
import { keptLabels, validateLabels } from "#proto/wire/labels.ts";

describe("labels", () => {
  it("may have 4096 bytes of key and value", () => validateLabels("", { k: "v".repeat(4095) }));

  it("longer than that are refused, showing ten bytes of the key", () => {
    assert.throws(() => validateLabels("namespace.Labels", { ["é".repeat(7)]: "x".repeat(4090) }), {
      kind: "invalid-argument",
      message:
        "namespace.Labels: label key and value greater than maximum size (4096 bytes), key: ééééé: invalid argument",
    });
  });

  it("with an empty value are not kept", () => assert.deepEqual(keptLabels({ a: "", b: "c" }), { b: "c" }));
});

describe("a field mask", () => {
  const rules = { whole: ["labels", "target"], keyed: ["labels"] };

  it("names whole fields and single labels, dots and slashes kept", () => {
    assert.deepEqual(parseMaskPath("labels", rules), { field: "labels", key: undefined });
    assert.deepEqual(parseMaskPath("labels.x.io/y.z", rules), { field: "labels", key: "x.io/y.z" });
    assert.deepEqual(parseMaskPath("labels.", rules), { field: "labels", key: "" });
  });

  it("names nothing else", () => {
    for (const path of ["", "size", "target.digest", "Labels", "labelsx"]) {
      assert.equal(parseMaskPath(path, rules), undefined, path);
    }
  });

  it("deletes a named entry that the request lacks", () => {
    assert.deepEqual(updateEntry({ a: "1", b: "2" }, { c: "3" }, "a"), { b: "2" });
    assert.deepEqual(updateEntry({ a: "1", b: "2" }, { a: "3", c: "4" }, "a"), { b: "2", a: "3" });
    assert.deepEqual(updateEntry({}, {}, "toString"), {});
  });
});
