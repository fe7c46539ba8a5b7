import { createHash } from "node:crypto";
import { isMessage, type Message } from "@bufbuild/protobuf";
import { AnySchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { zeroTimeSeconds } from "#proto/wire/timestamp.ts";

/** What one step of a case gave, ready to be compared: plain data without times, ids and paths of one machine. */
export type Outcome = null | boolean | number | string | readonly Outcome[] | { readonly [key: string]: Outcome };

const longestShownBytes = 64;

/** A message, list or value as plain data: times become a mark, long bytes their length and hash. */
export function plain(value: unknown): Outcome {
  if (value === undefined || value === null) return null;
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (value instanceof Uint8Array) return plainBytes(value);
  if (Array.isArray(value)) return value.map(plain);
  if (isMessage(value, TimestampSchema)) {
    if (value.seconds === zeroTimeSeconds) return "<zero time>";
    return value.seconds === 0n && value.nanos === 0 ? "<epoch>" : "<time>";
  }
  if (isMessage(value, AnySchema)) return { typeUrl: value.typeUrl, value: plainBytes(value.value) };
  return plainObject(value as Message);
}

function plainObject(value: object): Outcome {
  const entries = Object.entries(value)
    .filter(([key, field]) => !key.startsWith("$") && field !== undefined)
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, field]) => [key, unordered(key, plain(field))]));
}

/** Stock gives statuses in the order of a Go map, which is a new one each time. */
function unordered(key: string, value: Outcome): Outcome {
  if (key !== "statuses" || !Array.isArray(value)) return value;
  return (value as readonly Outcome[]).toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}

function plainBytes(bytes: Uint8Array): Outcome {
  if (bytes.length <= longestShownBytes) return Buffer.from(bytes).toString("latin1");
  return `<${bytes.length} bytes ${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}>`;
}

const replacements: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?\+0000 UTC|Z|[+-]\d\d:\d\d)?/g, "<time>"],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<uuid>"],
  // Lease ids that the server picks: nanoseconds (no leading zeros) and four letters.
  [/(?<![\w-])\d{1,9}-[A-Za-z0-9_-]{4}(?![\w-])/g, "<lease>"],
  [/\b(about )?(less than )?(a|an|\d+) (second|minute)s?( ago)?\b/gi, "<ago>"],
  [/locked for \S+ \(since [^)]*\)/g, "locked for <duration> (since <time>)"],
  [/elapsed: \S+\s+total:.*$/gm, "elapsed: <duration>"],
  [/ready \S+ \(\S+ \S+\)/g, "ready"],
  [/[ \t]+$/gm, ""],
];

/** Names that only one of the daemons has, and the marks that stand for them. */
export type Marks = ReadonlyMap<string, string>;

/** Text of a command or an error with what differs by nature replaced by marks. */
export function normalizeText(text: string, marks: Marks): string {
  let result = text;
  for (const [name, mark] of marks) result = result.replaceAll(name, mark);
  for (const [pattern, mark] of replacements) result = result.replace(pattern, mark);
  // ctr prints labels in the order of a Go map.
  result = result.replace(/[^\s,=]+=[^\s,]*(,[^\s,=]+=[^\s,]*)+/g, (list) => list.split(",").sort().join(","));
  // Columns are as wide as their longest cell, which the marks have changed.
  return result.replace(/ {2,}|\t+/g, "  ");
}

/** The same over all text in an outcome. */
export function normalize(outcome: Outcome, marks: Marks): Outcome {
  if (typeof outcome === "string") return normalizeText(outcome, marks);
  if (outcome === null || typeof outcome !== "object") return outcome;
  if (Array.isArray(outcome)) return (outcome as readonly Outcome[]).map((item) => normalize(item, marks));
  return Object.fromEntries(
    Object.entries(outcome as { readonly [key: string]: Outcome }).map(([key, value]) => [
      normalizeText(key, marks),
      normalize(value, marks),
    ]),
  );
}
