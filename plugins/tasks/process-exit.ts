import { create } from "@bufbuild/protobuf";
import { TimestampSchema, type Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampNow } from "#proto/wire/timestamp.ts";

/** How a process ended. */
export interface ProcessExit {
  readonly pid: number;
  /** 0 to 255; 128 and the signal's number when killed. */
  readonly exitStatus: number;
  readonly exitedAt: Timestamp;
}

/** Where nobody can tell any more. */
export const unknownExitStatus = 255;

/** The exit in a shim's answer. */
export function exitOf(answer: { pid?: number; exitStatus: number; exitedAt?: Timestamp | undefined }): ProcessExit {
  const { pid = 0, exitStatus, exitedAt } = answer;
  return { pid, exitStatus, exitedAt: exitedAt ?? create(TimestampSchema) };
}

/** The exit of a process of which nothing is known but that it is gone. */
export function unknownExit(pid = 0): ProcessExit {
  return { pid, exitStatus: unknownExitStatus, exitedAt: timestampNow() };
}
