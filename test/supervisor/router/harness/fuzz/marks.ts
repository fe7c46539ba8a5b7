import { numbersFrom } from "../../../../differential/chance.ts";

/**
 * Text that says whose bytes these are, with a check so that damage makes it no mark instead of someone else's. What a
 * caller sends carries its own mark everywhere; a foreign one in what it receives is another caller's data.
 */
export function markOf(owner: number): string {
  return `bhm:${hex(owner)}${hex(checkOf(owner))};`;
}

/** Whose the bytes are that hostile packages send, to whomever they like. */
export const packageOwner = 0;

/** Callers, by the undamaged marks in `bytes`, whose bytes these are. */
export function marksIn(bytes: Buffer): number[] {
  const owners: number[] = [];
  for (let at = bytes.indexOf("bhm:"); at >= 0; at = bytes.indexOf("bhm:", at + 4)) {
    const owner = Number.parseInt(bytes.toString("latin1", at + 4, at + 12), 16);
    if (!(owner > packageOwner)) continue;
    if (bytes.toString("latin1", at, at + markBytes) === markOf(owner)) owners.push(owner);
  }
  return owners;
}

const markBytes = 21;

function checkOf(owner: number): number {
  return numbersFrom(owner ^ 0x5bd1e995)(2 ** 32);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
