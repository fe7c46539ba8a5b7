import type { Database } from "../../shared/database/database.ts";
import type { DatabaseKind } from "../../shared/database/database-kind.ts";
import { openDatabase as openKind, type OpenOptions } from "../../shared/database/open.ts";

/** containerd's file is meta.db, a bolt file: the names must differ. */
const metadataDatabase: DatabaseKind = {
  subject: "metadata",
  fileName: "meta.lmdb",
  formatVersion: 1,
  limitKey: 'plugins."io.containerd.metadata.v1.bolt".maxSize (metadata.maxSize)',
};

/** Opens the metadata database in `folder`; see the shared `openDatabase`. */
export function openDatabase(folder: string, options: OpenOptions): Promise<Database> {
  return openKind(metadataDatabase, folder, options);
}
