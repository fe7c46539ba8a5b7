import { implement, type Service } from "bulkhead/plugin";
import { Metadata } from "#proto/gen/bulkhead/metadata/v1/metadata_pb.ts";
import { backupDatabase } from "./database/backup.ts";
import type { Database } from "../shared/database/database.ts";

/** bulkhead.metadata.v1: never on the main socket, it writes files as the daemon's user. */
export function backupService(database: Database): Service {
  return implement(Metadata, {
    backup: async ({ file }) => ({ bytes: await backupDatabase(database, file) }),
  });
}
