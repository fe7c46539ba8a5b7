import type { LogLevel } from "./config/config.ts";

/** Facts of a log line; undefined ones are left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Least to most severe. */
const severity: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error", "fatal", "panic"];

/** Whether a line of `level` is printed when `threshold` is configured. */
export function isLogged(level: LogLevel, threshold: LogLevel): boolean {
  return severity.indexOf(level) >= severity.indexOf(threshold);
}

/** One thing to log. */
export interface LogEntry {
  /** Milliseconds since 1970, fractions count. */
  readonly timeMs: number;
  readonly level: LogLevel;
  /** A fixed phrase; what varies is a field. */
  readonly message: string;
  readonly fields?: LogFields | undefined;
}

/**
 * One line of the daemon's log without its newline, as containerd 1.6 prints it: logrus's text for a descriptor that
 * is no terminal, or its JSON.
 */
export function formatLogLine(format: "text" | "json", entry: LogEntry): string {
  const level = entry.level === "warn" ? "warning" : entry.level;
  const time = formatTime(entry.timeMs);
  const fields = Object.entries(entry.fields ?? {})
    .filter(([, value]) => value !== undefined)
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
  if (format === "json") {
    return JSON.stringify({ ...Object.fromEntries(fields.map(unclash)), level, msg: entry.message, time });
  }
  const pairs = [["level", level], ["msg", entry.message], ...fields.map(unclash)] as const;
  return [`time="${time}"`, ...pairs.map(([key, value]) => `${key}=${quoteIfNeeded(String(value))}`)].join(" ");
}

/** A field that is called like one of the line's own is renamed, as logrus does. */
function unclash<T>([key, value]: readonly [string, T]): readonly [string, T] {
  return [key === "time" || key === "level" || key === "msg" ? `fields.${key}` : key, value];
}

/** logrus quotes what has any other character. */
function quoteIfNeeded(text: string): string {
  return /^[a-zA-Z0-9\-._/@^+]*$/.test(text) ? text : JSON.stringify(text);
}

/** RFC 3339 in local time with nine fraction digits, as containerd's RFC3339NanoFixed. */
function formatTime(timeMs: number): string {
  const date = new Date(Math.floor(timeMs));
  const offset = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -"000Z".length);
  // Today's milliseconds as a double hold whole microseconds, no more.
  const microseconds = Math.min(Math.round((timeMs - Math.floor(timeMs / 1000) * 1000) * 1000), 999_999);
  return `${local}${String(microseconds).padStart(6, "0")}000${formatOffset(offset)}`;
}

function formatOffset(minutes: number): string {
  if (minutes === 0) return "Z";
  const two = (value: number) => String(value).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
}
