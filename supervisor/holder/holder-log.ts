import type { LogLevel } from "../config/config.ts";
import { formatLogLine, isLogged, type LogFields } from "../log-line.ts";
import { printError } from "../print-error.ts";

/** The holder's own lines on stderr, in the daemon's format. Written whole and at once; a reader that left is no error. */
export class HolderLog {
  readonly #format: "text" | "json";
  readonly #threshold: LogLevel;

  constructor(format: "text" | "json", threshold: LogLevel) {
    this.#format = format;
    this.#threshold = threshold;
  }

  debug(message: string, fields?: LogFields): void {
    this.#log("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#log("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#log("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#log("error", message, fields);
  }

  #log(level: LogLevel, message: string, fields?: LogFields): void {
    if (!isLogged(level, this.#threshold)) return;
    const timeMs = performance.timeOrigin + performance.now();
    printError(formatLogLine(this.#format, { timeMs, level, message, fields }));
  }
}
