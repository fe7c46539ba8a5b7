import type { Database } from "../shared/database/database.ts";

/** Prometheus text. */
export function metricsOf(database: Database): string {
  return [
    "# HELP bulkhead_metadata_live_bytes Bytes of the database's pages in use.",
    "# TYPE bulkhead_metadata_live_bytes gauge",
    `bulkhead_metadata_live_bytes ${database.liveBytes}`,
    "",
  ].join("\n");
}
