import { join } from "node:path";
import { readProcStat } from "../holder/proc-stat.ts";
import { diskFiles, type Files } from "./files.ts";
import { isSameProcess, type ProcessIdentity } from "./process-identity.ts";

/** What is known of a running instance, kept so that a later control can prove it. */
export interface InstanceRecord extends ProcessIdentity {
  readonly package: string;
  readonly generation: number;
  /** Generation of the package's first start by this daemon, for the count of restarts. */
  readonly firstGeneration: number;
  readonly socket: string;
  /** It has been ready: it has its final executable, and Init was done. Others are never adopted. */
  readonly ready: boolean;
  /** When it was started, or became ready; milliseconds since 1970. */
  readonly sinceMs: number;
  /** As its manifest says, for when that is gone. */
  readonly kill: "group" | "process";
  readonly graceMs: number;
  /** SHA-256, hex, of manifest, config and what else it was started with. */
  readonly configHash: string;
  /** Hex; empty for packages that are not native. */
  readonly nonce: string;
}

export interface FoundRecords {
  readonly records: readonly InstanceRecord[];
  /** Packages whose record could not be read. */
  readonly corrupt: readonly string[];
}

/** Bytes a record may have. */
const limitBytes = 64 * 1024;
const suffix = ".json";

/** One JSON file a package in `<state>/records`, 0600, replaced by rename. Owns: the folder's content. */
export class InstanceRecords {
  readonly #folder: string;
  readonly #files: Files;

  constructor(state: string, files: Files = diskFiles) {
    this.#folder = join(state, "records");
    this.#files = files;
    files.makeFolder(this.#folder);
  }

  /** Whether a process, or the first one of its session, is a recorded instance that runs. Changes nothing. */
  hasProcess(pid: number): boolean {
    const session = readProcStat(pid)?.session;
    return this.#files.names(this.#folder).some((name) => {
      const record = this.#read(join(this.#folder, name));
      return record !== undefined && (record.pid === pid || record.pid === session) && isSameProcess(record);
    });
  }

  /** Every record. Corrupt ones, and those half written, are removed. */
  readAll(): FoundRecords {
    const records: InstanceRecord[] = [];
    const corrupt: string[] = [];
    for (const name of this.#files.names(this.#folder)) {
      const path = join(this.#folder, name);
      const record = name.endsWith(suffix) ? this.#read(path) : undefined;
      if (record !== undefined && `${record.package}${suffix}` === name) {
        records.push(record);
        continue;
      }
      this.#files.remove(path);
      if (name.endsWith(suffix)) corrupt.push(name.slice(0, -suffix.length));
    }
    return { records, corrupt };
  }

  /** Replaces the package's record. Throws what the file system says: the instance then cannot be adopted. */
  write(record: InstanceRecord): void {
    this.#files.replace(this.#path(record.package), `${JSON.stringify(record)}\n`);
  }

  remove(packageName: string): void {
    this.#files.remove(this.#path(packageName));
  }

  #path(packageName: string): string {
    return join(this.#folder, `${packageName}${suffix}`);
  }

  #read(path: string): InstanceRecord | undefined {
    try {
      const text = this.#files.read(path);
      if (text.length > limitBytes) return undefined;
      const record = JSON.parse(text) as unknown;
      return isRecord(record) ? record : undefined;
    } catch {
      return undefined; // half written, not JSON, or no file
    }
  }
}

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === "string";
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;

const fields: { readonly [K in keyof InstanceRecord]: Check } = {
  pid: (value) => isCount(value) && Number(value) > 1, // 0, 1 and below would mean groups, init, everybody
  startTime: (value) => typeof value === "string" && /^\d+$/.test(value),
  bootId: isText,
  exeInode: isCount,
  package: isText,
  generation: isCount,
  firstGeneration: isCount,
  socket: (value) => typeof value === "string" && value.startsWith("/"),
  ready: (value) => typeof value === "boolean",
  sinceMs: isCount,
  kill: (value) => value === "group" || value === "process",
  graceMs: isCount,
  configHash: isText,
  nonce: (value) => typeof value === "string" && /^([0-9a-f]{2})*$/.test(value),
};

function isRecord(value: unknown): value is InstanceRecord {
  if (typeof value !== "object" || value === null) return false;
  const record = value as Readonly<Record<string, unknown>>;
  return Object.entries(fields).every(([key, check]) => check(record[key]));
}
