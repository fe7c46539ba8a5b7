import { HostError } from "#proto/wire/errors.ts";
import type { DatabaseKind } from "./database-kind.ts";

/** What a commit that failed inside LMDB means; nothing of it was kept. Always internal: a full disk is met before. */
export function commitFailure({ subject }: DatabaseKind, folder: string, cause: unknown): HostError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new HostError("internal", `write ${subject} in ${folder}: ${text}; nothing was changed`, { cause });
}

/** The disk has no room for what is to be written. */
export function diskFullError({ subject }: DatabaseKind, folder: string): HostError {
  return new HostError(
    "resource-exhausted",
    `write ${subject} in ${folder}: no space left on the disk; nothing was changed; free some space and try again`,
  );
}

/** LMDB's numbers for a file it cannot make sense of (MDB_PAGE_NOTFOUND, CORRUPTED, INVALID). */
const damageCodes: readonly (number | undefined)[] = [-30797, -30796, -30793];

/** What a failed open means: data-loss for a damaged file, else internal; a HostError passes. */
export function openFailure(file: string, cause: unknown): HostError {
  if (cause instanceof HostError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  if (!damageCodes.includes(errnoOf(cause))) return new HostError("internal", `open ${file}: ${text}`, { cause });
  return new HostError("data-loss", `open ${file}: the database is damaged (${text}); put a backup in its place`, {
    cause,
  });
}

/** The database has reached its limit. */
export function fullError({ subject, limitKey }: DatabaseKind, limitBytes: number): HostError {
  const advice = limitKey === undefined ? "remove objects" : `remove objects or raise ${limitKey}`;
  const text = `the ${subject} database has reached its limit of ${limitBytes} bytes; ${advice}`;
  return new HostError("resource-exhausted", text);
}

function errnoOf(cause: unknown): number | undefined {
  const code = cause instanceof Error ? (cause as { code?: unknown }).code : undefined;
  return typeof code === "number" ? code : undefined;
}
