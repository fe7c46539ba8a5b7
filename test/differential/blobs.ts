import { createHash } from "node:crypto";

/** sha256 digest of bytes, as containerd writes it. */
export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Bytes that look random and are the same on each run. */
export function patternBytes(length: number, seed = "pattern"): Buffer {
  const parts: Buffer[] = [];
  for (let index = 0, size = 0; size < length; index++, size += 32) {
    parts.push(createHash("sha256").update(`${seed}${index}`).digest());
  }
  return Buffer.concat(parts).subarray(0, length);
}
