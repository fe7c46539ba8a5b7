import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { namespaceOf, quote, validateIdentifier } from "#proto/wire/identifiers.ts";

const pattern = "^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$";

describe("identifiers", () => {
  it("of 1 to 76 letters and digits with single separators between are valid", () => {
    for (const text of ["a", "A9", "a.b-c_d", "0", "a".repeat(76)]) validateIdentifier(text);
  });

  for (const text of ["a_-b", "a..b", "-", "a-", ".a", "a/b", "ü", "a\nb", "a\u200bb", 'a"b']) {
    it(`${JSON.stringify(text)} is refused in containerd's words`, () => {
      assert.throws(() => validateIdentifier(text), {
        kind: "invalid-argument",
        message: `identifier ${quote(text)} must match ${pattern}: invalid argument`,
      });
    });
  }

  it("longer than 76 bytes are refused", () => {
    const text = "é".repeat(39);
    assert.throws(() => validateIdentifier(text), {
      kind: "invalid-argument",
      message: `identifier "${text}" greater than maximum length (76 characters): invalid argument`,
    });
  });

  it("must not be empty", () => {
    assert.throws(() => validateIdentifier(""), {
      kind: "invalid-argument",
      message: "identifier must not be empty: invalid argument",
    });
  });

  it("are quoted as Go does", () => {
    assert.equal(quote('a\x01\x07\x7f\u00a0\ue000\n"\\é😀'), '"a\\x01\\a\\x7f\\u00a0\\ue000\\n\\"\\\\é😀"');
  });
});

describe("the namespace of a call", () => {
  it("is its metadata's", () => {
    assert.equal(namespaceOf({ "containerd-namespace": "default" }), "default");
  });

  it("is required", () => {
    for (const metadata of [{}, { "containerd-namespace": "" }]) {
      assert.throws(() => namespaceOf(metadata), {
        kind: "failed-precondition",
        message: "namespace is required: failed precondition",
      });
    }
  });

  it("must be an identifier", () => {
    assert.throws(() => namespaceOf({ "containerd-namespace": "a_-b" }), {
      kind: "invalid-argument",
      message: `namespace validation: identifier "a_-b" must match ${pattern}: invalid argument`,
    });
  });
});
