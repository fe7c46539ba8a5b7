import { createRequire } from "node:module";
import type { Logger } from "winston";
import type { Log } from "./define-plugin.ts";

const severities: Readonly<Record<string, number>> = {
  panic: 0,
  fatal: 0,
  error: 0,
  warn: 1,
  info: 2,
  debug: 3,
  trace: 3,
};

/**
 * JSON lines on stdout for the host to read. winston is loaded at the first line that passes the level, since a
 * package that starts well says nothing.
 */
export function createLog(level: string): Log {
  const limit = severities[level] ?? 2;
  let logger: Logger | undefined;
  const write =
    (severity: "error" | "warn" | "info" | "debug") => (message: string, fields?: Record<string, unknown>) => {
      if ((severities[severity] ?? 0) > limit) return;
      logger ??= openLogger();
      logger.log({ level: severity, message, ...plainFields(fields) });
    };
  return { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") };
}

function openLogger(): Logger {
  const winston = createRequire(import.meta.url)("winston") as typeof import("winston");
  const { combine, timestamp, json } = winston.format;
  return winston.createLogger({
    level: "debug",
    format: combine(timestamp(), json()),
    transports: [new winston.transports.Console()],
  });
}

/** Errors become their text with stack, since JSON has no other form of them. */
function plainFields(fields: Record<string, unknown> | undefined): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields ?? {})) {
    plain[key === "level" || key === "message" ? `_${key}` : key] =
      value instanceof Error ? (value.stack ?? value.message) : value;
  }
  return plain;
}
