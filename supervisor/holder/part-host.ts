import type { Epochs } from "./epochs.ts";
import type { HolderLog } from "./holder-log.ts";
import type { PartRecords } from "./part-records.ts";

/** What both parts are started with. */
export interface PartHost {
  readonly state: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly epochs: Epochs;
  readonly records: PartRecords;
  readonly log: HolderLog;
}
