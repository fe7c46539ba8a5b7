import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { digestProblem, parseDigest } from "#proto/wire/digest.ts";

const hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Answers of containerd 1.6.20 to Content.Delete. */
const problems: readonly (readonly [digest: string, problem: string | undefined])[] = [
  ["", "invalid checksum digest format"],
  ["x", "invalid checksum digest format"],
  [":", "invalid checksum digest format"],
  ["sha256:", "invalid checksum digest format"],
  [":abc", "invalid checksum digest format"],
  ["sha256:abc", "invalid checksum digest length"],
  ["sha256:!", "invalid checksum digest length"],
  [`sha256:${hex.toUpperCase()}`, "invalid checksum digest format"],
  [`sha256:${hex}:`, "invalid checksum digest length"],
  [`sha512:${hex}`, "invalid checksum digest length"],
  ["md5:abc", "unsupported digest algorithm"],
  ["md5:!", "invalid checksum digest format"],
  ["foo+bar:abc", "unsupported digest algorithm"],
  ["Foo:abc", "invalid checksum digest format"],
  ["toString:abc", "invalid checksum digest format"],
  [`sha256:../../${hex.slice(6)}`, "invalid checksum digest format"],
  [`sha256:${hex}`, undefined],
  [`sha384:${"a".repeat(96)}`, undefined],
  [`sha512:${"0".repeat(128)}`, undefined],
];

describe("a digest", () => {
  for (const [digest, problem] of problems) {
    it(`${JSON.stringify(digest)}: ${problem ?? "is valid"}`, () => assert.equal(digestProblem(digest), problem));
  }

  it("is split into algorithm and hex", () => {
    assert.deepEqual(parseDigest(`sha256:${hex}`), { algorithm: "sha256", hex });
    assert.equal(parseDigest("sha256:abc"), undefined);
  });
});
