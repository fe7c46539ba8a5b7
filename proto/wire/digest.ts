/** Hex digits of the digests that containerd knows, by algorithm. */
const hexLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

const general = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;

export type DigestProblem =
  | "invalid checksum digest format"
  | "unsupported digest algorithm"
  | "invalid checksum digest length";

export interface Digest {
  readonly algorithm: string;
  readonly hex: string;
}

/** What is wrong with a digest, in go-digest's words; undefined: nothing. */
export function digestProblem(text: string): DigestProblem | undefined {
  const colon = text.indexOf(":");
  if (colon <= 0 || colon + 1 === text.length) return "invalid checksum digest format";
  const algorithm = text.slice(0, colon);
  const length = Object.hasOwn(hexLengths, algorithm) ? hexLengths[algorithm] : undefined;
  if (length === undefined) {
    return general.test(text) ? "unsupported digest algorithm" : "invalid checksum digest format";
  }
  const hex = text.slice(colon + 1);
  if (hex.length !== length) return "invalid checksum digest length";
  return /^[a-f0-9]+$/.test(hex) ? undefined : "invalid checksum digest format";
}

/** Splits a digest; undefined where `digestProblem` would say why. The hex is safe as a file name. */
export function parseDigest(text: string): Digest | undefined {
  if (digestProblem(text) !== undefined) return undefined;
  const colon = text.indexOf(":");
  return { algorithm: text.slice(0, colon), hex: text.slice(colon + 1) };
}
