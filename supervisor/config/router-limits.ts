import { defaultLimits, type ConfiguredLimits } from "../router/limits.ts";
import type { JsonObject } from "./config.ts";
import { formatDuration } from "./duration.ts";
import type { Fields } from "./fields.ts";
import { formatSize } from "./size.ts";

type Kind = "count" | "size" | "time";

interface Key {
  readonly key: string;
  readonly kind: Kind;
  readonly min: number;
  readonly max: number;
}

const largestWindow = 2 ** 31 - 1;
const day = 24 * 3_600_000;

/** Keys of the `router` section; the least values are those that ordinary clients need. */
const keys: Readonly<Record<keyof ConfiguredLimits, Key>> = {
  connections: { key: "connections", kind: "count", min: 1, max: 1_000_000 },
  connectionsPerUid: { key: "connections_per_uid", kind: "count", min: 1, max: 1_000_000 },
  streamsPerConnection: { key: "streams_per_connection", kind: "count", min: 1, max: 1_000_000 },
  openCalls: { key: "open_calls", kind: "count", min: 1, max: 10_000_000 },
  headerListBytes: { key: "header_list_size", kind: "size", min: 1024, max: 2 ** 20 },
  frameBytes: { key: "frame_size", kind: "size", min: 2 ** 14, max: 2 ** 24 - 1 },
  streamWindowBytes: { key: "stream_window", kind: "size", min: 2 ** 16, max: largestWindow },
  connectionWindowBytes: { key: "connection_window", kind: "size", min: 2 ** 16, max: largestWindow },
  heldBytes: { key: "held_size", kind: "size", min: 2 ** 20, max: 2 ** 40 },
  unreadBytes: { key: "unread_size", kind: "size", min: 2 ** 16, max: 2 ** 30 },
  settingsPerSecond: { key: "settings_per_second", kind: "count", min: 1, max: 1_000_000 },
  pingsPerSecond: { key: "pings_per_second", kind: "count", min: 1, max: 1_000_000 },
  resetsPerSecond: { key: "resets_per_second", kind: "count", min: 1, max: 1_000_000 },
  emptyFramesPerSecond: { key: "empty_frames_per_second", kind: "count", min: 1, max: 1_000_000 },
  continuationsPerSecond: { key: "continuations_per_second", kind: "count", min: 1, max: 1_000_000 },
  continuations: { key: "continuations", kind: "count", min: 1, max: 1024 },
  prefaceMs: { key: "preface_time", kind: "time", min: 10, max: day },
  headersMs: { key: "headers_time", kind: "time", min: 10, max: day },
  idleMs: { key: "idle_time", kind: "time", min: 0, max: 20 * day },
};

const names = Object.keys(keys) as (keyof ConfiguredLimits)[];

/** Reads the `router` section; what it does not say is left out. Everything wrong goes to the problems. */
export function readRouterLimits(fields: Fields): Partial<ConfiguredLimits> {
  const section = fields.section("router");
  const found = names.flatMap((name) => {
    const value = read(section, keys[name]);
    return value === undefined ? [] : [[name, value] as const];
  });
  section.finish();
  return Object.fromEntries(found);
}

/** What holds when the file says `given`. */
export function routerLimits(given: Partial<ConfiguredLimits>): ConfiguredLimits {
  const all = names.map((name) => [name, given[name] ?? defaultLimits[name]] as const);
  return Object.fromEntries(all) as unknown as ConfiguredLimits;
}

/** The section as the file has it. */
export function routerDocument(limits: ConfiguredLimits): JsonObject {
  return Object.fromEntries(names.map((name) => [keys[name].key, write(keys[name].kind, limits[name])]));
}

function read(section: Fields, { key, kind, min, max }: Key): number | undefined {
  switch (kind) {
    case "count":
      return section.integer(key, min, max);
    case "size":
      return section.size(key, min, max);
    case "time":
      return section.duration(key, min, max);
  }
}

function write(kind: Kind, value: number): string | number {
  switch (kind) {
    case "count":
      return value;
    case "size":
      return formatSize(value);
    case "time":
      return formatDuration(value);
  }
}
