import type { MessagePort } from "node:worker_threads";
import type { ErrorKind } from "#proto/wire/errors.ts";
import type { ApplyLimits } from "../apply/limits.ts";
import type { MountSpec } from "../mounts/overlay.ts";
import type { ProcessorStep } from "../processors/chain.ts";

/** Where a job's bytes come from: a file, or a port that gives chunks as `chunk-port.ts` says. */
export type BlobSource =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "port"; readonly port: MessagePort };

/** Unpack a blob onto mounts. */
export interface ApplyJob {
  readonly kind: "apply";
  readonly blob: BlobSource;
  /** Size of the blob as it is stored. */
  readonly blobBytes: number;
  readonly steps: readonly ProcessorStep[];
  readonly mounts: readonly MountSpec[];
  /** Folder of this job for mounts; made when needed. */
  readonly tempMounts: string;
  readonly limits: ApplyLimits;
  /** Flush the file system before the answer. */
  readonly sync: boolean;
}

/** Write what `upper` has changed against `lower` to a port. */
export interface CompareJob {
  readonly kind: "compare";
  readonly lower: readonly MountSpec[];
  readonly upper: readonly MountSpec[];
  readonly compression: "none" | "gzip" | "zstd";
  readonly tempMounts: string;
  /** Seconds that no time of an entry is after; undefined: no bound. */
  readonly latestSeconds: number | undefined;
  readonly output: MessagePort;
}

export type Job = ApplyJob | CompareJob;

/** Of an uncompressed layer; for `compare` also of what was written. */
export interface LayerFacts {
  readonly digest: string;
  readonly size: number;
  readonly written?: { readonly digest: string; readonly size: number };
}

export type ToWorker = { readonly kind: "run"; readonly job: Job } | { readonly kind: "cancel" };

export type FromWorker =
  | { readonly kind: "done"; readonly facts: LayerFacts }
  | { readonly kind: "failed"; readonly error: { readonly kind: ErrorKind; readonly message: string } }
  | { readonly kind: "ignored"; readonly what: string };
