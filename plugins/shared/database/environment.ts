import { open, type RootDatabase } from "lmdb";
import type { ByteStore } from "./reader.ts";

/** The LMDB environment, bare. */
export type Environment = RootDatabase<Buffer, Buffer>;

/**
 * Opens the LMDB file, making it where it is missing. Flushes happen inside each commit (no overlapping sync), so a
 * commit that returned is on disk, and one that failed throws where it was asked for. `flushes: false` leaves that to
 * the kernel.
 */
export function openEnvironment(file: string, { flushes }: { readonly flushes: boolean }): Environment {
  return open<Buffer, Buffer>({
    path: file,
    noSubdir: true,
    encoding: "binary",
    keyEncoding: "binary",
    overlappingSync: false,
    noSync: !flushes,
    cache: false,
  });
}

/** The environment as bytes by key. Inside `transactionSync` this reads what the transaction wrote. */
export function byteStoreOf(environment: Environment): ByteStore {
  return {
    get: (key) => environment.get(key),
    range: (start, end, exclusiveStart) => environment.getRange({ start, end, exclusiveStart }),
  };
}

/** What the database takes of its file. */
export interface Usage {
  readonly pageBytes: number;
  /** Bytes of the pages that hold records; pages freed by earlier transactions do not count, LMDB uses them again. */
  readonly liveBytes: number;
  /** Pages of the trees, without those of big values. */
  readonly treePages: number;
  /** Pages from a root to a leaf. */
  readonly depth: number;
  /** Number of the last page ever used. */
  readonly lastPage: number;
}

interface TreeStats {
  readonly pageSize: number;
  readonly treeDepth: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

/** Counts pages; cheap, LMDB keeps the numbers. */
export function usageOf(environment: Environment): Usage {
  const stats = environment.getStats() as TreeStats & { readonly free: TreeStats; readonly lastPageNumber: number };
  const { pageSize: pageBytes, free } = stats;
  const treePages = [stats, free].reduce((sum, tree) => sum + tree.treeBranchPageCount + tree.treeLeafPageCount, 0);
  return {
    pageBytes,
    liveBytes: (treePages + stats.overflowPages + free.overflowPages) * pageBytes,
    treePages,
    depth: stats.treeDepth,
    lastPage: stats.lastPageNumber,
  };
}
