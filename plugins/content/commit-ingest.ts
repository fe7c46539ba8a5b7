import { chmodSync, existsSync, renameSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { classedError, isHostError } from "bulkhead/plugin";
import { diskError } from "./disk-errors.ts";
import type { IngestWriter } from "./ingest-writer.ts";
import type { Layout } from "./layout.ts";

/** containerd's 0644 without its write and execute bits. */
const blobMode = 0o444;

/** A blob about to become visible. */
export interface Candidate {
  /** `sha256:…` of what was written. */
  readonly digest: string;
  /** Bytes. */
  readonly size: bigint;
}

/** The order of a commit, for tests that end the process in between. */
export type CommitStep = "flushed" | "prepared" | "renamed" | "synced" | "finished";

export interface CommitRules {
  /** Bytes the blob must have; 0: any. */
  readonly size: bigint;
  /** Digest the blob must have; "": any. */
  readonly expected: string;
  /** Awaited when the bytes are checked and on disk, before the blob becomes visible; a throw stops the commit. */
  readonly prepare?: (candidate: Candidate) => Promise<void>;
  readonly onStep?: ((step: CommitStep) => void) | undefined;
}

/**
 * Makes an ingest a blob: bytes flushed, checked, renamed, and the folder flushed before this resolves. The ingest is
 * then gone and the writer closed. Throws failed-precondition on a wrong size or digest (the ingest stays),
 * already-exists when the store has the blob (the ingest goes), resource-exhausted on a full disk, and what `prepare`
 * throws (the ingest goes if that is already-exists).
 */
export async function commitIngest(layout: Layout, writer: IngestWriter, rules: CommitRules): Promise<Candidate> {
  const candidate = { digest: writer.digest, size: writer.status.offset };
  checkCandidate(candidate, rules);
  await writer.flush();
  rules.onStep?.("flushed");
  await prepare(writer, candidate, rules);
  rules.onStep?.("prepared");
  const target = layout.blob({ algorithm: "sha256", hex: candidate.digest.slice("sha256:".length) });
  await publish(writer, target, candidate, rules);
  await writer.discard();
  rules.onStep?.("finished");
  return candidate;
}

function checkCandidate({ digest, size }: Candidate, rules: CommitRules): void {
  if (rules.size > 0n && rules.size !== size) {
    throw classedError("failed-precondition", `unexpected commit size ${size}, expected ${rules.size}`);
  }
  if (rules.expected !== "" && rules.expected !== digest) {
    throw classedError("failed-precondition", `unexpected commit digest ${digest}, expected ${rules.expected}`);
  }
}

async function prepare(writer: IngestWriter, candidate: Candidate, rules: CommitRules): Promise<void> {
  try {
    await rules.prepare?.(candidate);
  } catch (error) {
    if (isHostError(error, "already-exists")) await writer.discard();
    throw error;
  }
}

async function publish(
  writer: IngestWriter,
  target: string,
  { digest }: Candidate,
  { onStep }: CommitRules,
): Promise<void> {
  // Looked up and renamed in one turn of the event loop, so that no other commit of this digest comes between.
  if (existsSync(target)) {
    await writer.discard();
    throw classedError("already-exists", `content ${digest}`);
  }
  try {
    chmodSync(writer.paths.data, blobMode);
    renameSync(writer.paths.data, target);
    onStep?.("renamed");
    await syncFolder(dirname(target));
    onStep?.("synced");
  } catch (error) {
    throw diskError(`commit ingest "${writer.status.ref}" as ${digest}`, error);
  }
}

/** Puts a folder's entries on disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
