import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { nanosOf } from "#proto/wire/timestamp.ts";

/** RFC 3339 with milliseconds; null when unset. */
export function isoTime(timestamp: Timestamp | undefined): string | null {
  return timestamp === undefined ? null : new Date(Number(nanosOf(timestamp) / 1_000_000n)).toISOString();
}

/** How long ago, in one unit, like "42s" or "3h"; "-" when unset. */
export function ago(timestamp: Timestamp | undefined, nowMs: number): string {
  if (timestamp === undefined) return "-";
  const seconds = Math.max(0, Math.round(nowMs / 1000 - Number(timestamp.seconds)));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

/** A time as Go prints it, like `2024-05-01 12:00:00.123456789 +0000 UTC`: what `ctr events` shows. */
export function goTime(timestamp: Timestamp | undefined): string {
  if (timestamp === undefined) return "-";
  const whole = new Date(Number(timestamp.seconds) * 1000).toISOString().slice(0, 19).replace("T", " ");
  const fraction = String(timestamp.nanos).padStart(9, "0").replace(/0+$/, "");
  return `${whole}${fraction && `.${fraction}`} +0000 UTC`;
}
