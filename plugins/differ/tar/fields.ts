import { invalidHeader, tarError } from "./tar-error.ts";

/** A NUL-ended text field of a header, a character a byte. */
export function textField(block: Buffer, start: number, length: number): string {
  let end = start;
  while (end < start + length && block[end] !== 0) end++;
  return block.toString("latin1", start, end);
}

/**
 * A number field: octal digits between spaces or NULs, or base-256 big-endian where the first bit is set. Throws for
 * anything else, and beyond 63 bits; beyond 53 it is not exact, which no size or time that can be had is.
 */
export function numberField(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0;
  return (first & 0x80) === 0 ? octalField(block, start, length) : base256Field(block, start, length);
}

function base256Field(block: Buffer, start: number, length: number): number {
  // The second bit is the sign of a number in two's complement; its bits are inverted to read its size.
  const inverted = ((block[start] ?? 0) & 0x40) === 0 ? 0 : 0xff;
  let value = 0;
  for (let index = 0; index < length; index++) {
    const byte = (block[start + index] ?? 0) ^ inverted;
    value = value * 256 + (index === 0 ? byte & 0x7f : byte);
  }
  if (value >= 2 ** 63) throw tarError(invalidHeader);
  return inverted === 0 ? value : -value - 1;
}

/** The low 32 bits of a number field, exact: what the system takes of ids, modes and devices. */
export function wordField(block: Buffer, start: number, length: number): number {
  const value = numberField(block, start, length);
  return ((block[start] ?? 0) & 0x80) === 0 ? value : block.readUInt32BE(start + length - 4);
}

const space = 0x20;
const zero = 0x30;

function octalField(block: Buffer, start: number, length: number): number {
  let from = start;
  let to = start + length;
  while (from < to && isPadding(block[from])) from++;
  while (to > from && isPadding(block[to - 1])) to--;
  let value = 0;
  for (let index = from; index < to; index++) {
    const byte = block[index] ?? 0;
    // A NUL in the middle ends the number, whatever follows.
    if (byte === 0) break;
    const digit = byte - zero;
    if (digit < 0 || digit > 7) throw tarError(invalidHeader);
    value = value * 8 + digit;
  }
  return value;
}

function isPadding(byte: number | undefined): boolean {
  return byte === space || byte === 0;
}

/** A decimal integer of a PAX record, of 63 bits; beyond 53 it is not exact. */
export function decimal(text: string): number {
  const value = /^[+-]?\d{1,40}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= -(2 ** 63) && value < 2 ** 63)) throw tarError(invalidHeader);
  return value;
}

/** The low 32 bits of one, exact. */
export function decimalWord(text: string): number {
  const value = decimal(text);
  return Number.isSafeInteger(value) ? value : Number(BigInt.asUintN(32, BigInt(text)));
}
