import { BadConfig } from "bulkhead/plugin";

/** Config of `io.containerd.metadata.v1.bolt`, as the host hands it over. */
export interface BoltConfig {
  readonly content_sharing_policy?: "shared" | "isolated";
  readonly no_sync?: boolean;
  readonly maxSize?: number | string;
}

export interface DatabaseConfig {
  readonly sharesContent: boolean;
  readonly flushes: boolean;
  readonly maxBytes: number;
}

const unitBytes: Readonly<Record<string, number>> = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
const defaultMaxSize = "4GiB";
const minimumBytes = 2 ** 20;

/** Config with its defaults, in bytes and booleans. Throws BadConfig. */
export function readBoltConfig({ content_sharing_policy, no_sync, maxSize }: BoltConfig): DatabaseConfig {
  return {
    sharesContent: content_sharing_policy !== "isolated",
    flushes: no_sync !== true,
    maxBytes: parseSize(maxSize ?? defaultMaxSize),
  };
}

function parseSize(size: number | string): number {
  const [, digits = "", unit = ""] = /^([0-9]+)(KiB|MiB|GiB|TiB)?$/.exec(String(size)) ?? [];
  const bytes = Number(digits) * (unitBytes[unit] ?? Number.NaN);
  if (digits !== "" && bytes >= minimumBytes && Number.isSafeInteger(bytes)) return bytes;
  const message = `expected a size of at least 1MiB, such as "512MiB" or "4GiB", not ${JSON.stringify(size)}`;
  throw new BadConfig(`maxSize: ${message}`, [{ pointer: "/maxSize", message }]);
}
