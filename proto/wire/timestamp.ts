import { create } from "@bufbuild/protobuf";
import { TimestampSchema, type Timestamp } from "@bufbuild/protobuf/wkt";

/** Seconds of Go's zero time (year 1), which containerd sends and accepts for "not set". */
export const zeroTimeSeconds = -62135596800n;

/** Go's zero time as a message. */
export function zeroTimestamp(): Timestamp {
  return create(TimestampSchema, { seconds: zeroTimeSeconds, nanos: 0 });
}

/** Nanoseconds since the epoch as a message. */
export function timestampFromNanos(nanos: bigint): Timestamp {
  const billion = 1_000_000_000n;
  const rest = ((nanos % billion) + billion) % billion;
  return create(TimestampSchema, { seconds: (nanos - rest) / billion, nanos: Number(rest) });
}

/** Nanoseconds since the epoch of a message. */
export function nanosOf(timestamp: Timestamp): bigint {
  return timestamp.seconds * 1_000_000_000n + BigInt(timestamp.nanos);
}

/** Now, with the clock's microseconds. */
export function timestampNow(): Timestamp {
  return timestampFromNanos(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n);
}
