const pattern = /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:[.,](\d+))?(Z|z|[+-]\d{2}:\d{2})$/;
const billion = 1_000_000_000n;

/** Nanoseconds since the epoch as Go writes a UTC time: RFC 3339, the fraction without trailing zeros. */
export function formatRfc3339(nanos: bigint): string {
  const rest = ((nanos % billion) + billion) % billion;
  const seconds = new Date(Number((nanos - rest) / 1_000_000n)).toISOString().slice(0, 19);
  const fraction = rest === 0n ? "" : `.${rest.toString().padStart(9, "0").replace(/0+$/, "")}`;
  return `${seconds}${fraction}Z`;
}

/** Nanoseconds since the epoch of an RFC 3339 text, as Go's time.Parse reads it; undefined for any other text. */
export function parseRfc3339(text: string): bigint | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, date = "", time = "", fraction = "", zone = ""] = match;
  const millis = Date.parse(`${date}T${time}${zone.toUpperCase()}`);
  if (Number.isNaN(millis) || !isRealDay(date)) return undefined;
  return BigInt(millis) * 1_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
}

/** Whether the month has that day; Date.parse lets February 30 pass as March 2. */
function isRealDay(date: string): boolean {
  const millis = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(millis) && new Date(millis).toISOString().startsWith(date);
}
