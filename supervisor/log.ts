import type { Logger } from "winston";
import type { LogLevel } from "./config/config.ts";
import { formatLogLine, type LogFields } from "./log-line.ts";
import { printError } from "./print-error.ts";

/** The daemon's own log: a fixed phrase and facts as fields, one line each on stderr. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** The same log with more fields on every line. */
  child(fields: Record<string, unknown>): Log;
  /** Hands on a line that a package wrote: JSON objects and `<0-7>` prefixes are understood, the rest is info. */
  relay(line: string): void;
}

type Level = "debug" | "info" | "warn" | "error";

/** winston's order, with containerd's coarser levels folded in. */
const limits: Readonly<Record<LogLevel, Level>> = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warn: "warn",
  error: "error",
  fatal: "error",
  panic: "error",
};
const levels: Readonly<Record<Level, number>> = { error: 0, warn: 1, info: 2, debug: 3 };
/** syslog's priorities, as in `<3>text`. */
const priorities: readonly Level[] = ["error", "error", "error", "error", "warn", "info", "info", "debug"];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

/** A process's log and when it goes over to winston. */
export interface ProcessLog extends Log {
  /** Loads winston, through which every later line goes; to be called once the boot is over. */
  openLogger(): Promise<void>;
}

/**
 * Control's log. Until winston is loaded (40 ms, which a boot need not wait for) lines go straight to stderr, in the
 * same format.
 */
export function createLog({ level: threshold, format }: LogOptions): ProcessLog {
  const limit = limits[threshold];
  let logger: Logger | undefined;
  const write = (level: Level, message: string, fields: Record<string, unknown>): void => {
    if (levels[level] > levels[limit]) return;
    const line = { level, message, fields, timeMs: performance.timeOrigin + performance.now() };
    if (logger === undefined) printError(lineOf(format, line));
    else logger.log(line);
  };
  return {
    ...fieldedLog(write, {}),
    async openLogger() {
      logger = await loadLogger(format, limit);
    },
  };
}

type Write = (level: Level, message: string, fields: Record<string, unknown>) => void;

function fieldedLog(write: Write, bound: Record<string, unknown>): Log {
  const at = (level: Level) => (message: string, fields?: Record<string, unknown>) =>
    write(level, message, { ...bound, ...fields });
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => fieldedLog(write, { ...bound, ...fields }),
    relay: (line) => relayLine(line, (level, message, fields) => write(level, message, { ...bound, ...fields })),
  };
}

interface Line {
  readonly level: Level;
  readonly message: string;
  readonly fields: Record<string, unknown>;
  readonly timeMs: number;
}

function lineOf(format: LogOptions["format"], { level, message, fields, timeMs }: Line): string {
  return formatLogLine(format, { timeMs, level, message, fields: plainFields(fields) });
}

async function loadLogger(format: LogOptions["format"], level: Level): Promise<Logger> {
  const { default: winston } = await import("winston");
  const line = winston.format.printf((info) => lineOf(format, info as unknown as Line));
  const transport = new winston.transports.Console({ stderrLevels: Object.keys(levels) });
  return winston.createLogger({ level, levels, format: line, transports: [transport] });
}

/** What a line can hold: errors with their stack, other objects as JSON. */
function plainFields(fields: Record<string, unknown>): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: unknown): string | number | boolean | undefined {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "undefined":
      return value;
    case "object":
      return value instanceof Error ? (value.stack ?? value.message) : JSON.stringify(value);
    default:
      return String(value as bigint);
  }
}

function relayLine(line: string, write: Write): void {
  if (line.trim() === "") return;
  const parsed = line.startsWith("{") ? parseObject(line) : undefined;
  if (parsed !== undefined) {
    const { level, msg, message, time: _time, timestamp: _timestamp, ...fields } = parsed;
    return write(levelOf(level), String(plainValue(msg ?? message ?? "")), fields);
  }
  const priority = /^<([0-7])>/.exec(line);
  if (priority === null) return write("info", line, {});
  write(priorities[Number(priority[1])] ?? "info", line.slice(3), {});
}

function levelOf(level: unknown): Level {
  switch (level) {
    case "trace":
    case "debug":
      return "debug";
    case "warn":
    case "warning":
      return "warn";
    case "error":
    case "fatal":
    case "panic":
    case "critical":
      return "error";
    default:
      return "info";
  }
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
