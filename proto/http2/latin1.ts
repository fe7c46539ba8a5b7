interface Latin1Source {
  latin1Slice(start: number, end: number): string;
}

/** `bytes[start..end)` as text, one character a byte. Straight to Node's own method: this is on the path of each call. */
export function latin1Of(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as Latin1Source).latin1Slice(start, end);
}
