import { hash } from "node:crypto";
import { join } from "node:path";
import type { Digest } from "#proto/wire/digest.ts";

/** Files of one ingest. */
export interface IngestPaths {
  readonly folder: string;
  /** The bytes so far; its absence means that the ingest was committed or never began. */
  readonly data: string;
  /** The ref in clear. */
  readonly ref: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly updatedAt: string;
  /** Bytes announced, decimal; absent: unknown. */
  readonly total: string;
}

/** Where containerd's local content store keeps things below its root (content/local/store.go). */
export class Layout {
  readonly root: string;
  readonly blobs: string;
  readonly ingests: string;

  constructor(root: string) {
    this.root = root;
    this.blobs = join(root, "blobs");
    this.ingests = join(root, "ingest");
  }

  algorithm(name: string): string {
    return join(this.blobs, name);
  }

  /** The digest must have been parsed: its hex becomes a file name. */
  blob(digest: Digest): string {
    return join(this.blobs, digest.algorithm, digest.hex);
  }

  ingest(ref: string): IngestPaths {
    return this.ingestIn(hash("sha256", ref));
  }

  /** `name`: a folder's name in `ingests`. */
  ingestIn(name: string): IngestPaths {
    const folder = join(this.ingests, name);
    return {
      folder,
      data: join(folder, "data"),
      ref: join(folder, "ref"),
      startedAt: join(folder, "startedat"),
      updatedAt: join(folder, "updatedat"),
      total: join(folder, "total"),
    };
  }
}
