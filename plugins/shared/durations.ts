import { BadConfig } from "bulkhead/plugin";

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a Go duration in config, such as "1h30m" or "100ms". Throws BadConfig for one that is none. */
export function durationMs(key: string, text: string): number {
  if (text === "0") return 0;
  const parts = [...text.matchAll(/([0-9]*\.?[0-9]+)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join("") === text) {
    return parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (unitMs[unit] ?? 0), 0);
  }
  const message = `expected a duration such as "100ms" or "24h", not ${JSON.stringify(text)}`;
  throw new BadConfig(`${key}: ${message}`, [{ pointer: `/${key}`, message }]);
}
