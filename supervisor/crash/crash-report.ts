import { create, fromJsonString, toJson, type MessageInitShape } from "@bufbuild/protobuf";
import { CrashReportSchema, type CrashReport } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import { timestampFromNanos } from "#proto/wire/timestamp.ts";
import type { CrashLimits } from "../config/config.ts";
import type { UsageSample } from "../process/usage-sampler.ts";
import type { CallsInFlight } from "../router/route-table.ts";
import { redact } from "./redact.ts";

/** All that was found out of one crash. */
export interface CrashFacts {
  readonly package: string;
  readonly version: string;
  readonly generation: number;
  readonly pid: number;
  readonly state: string;
  readonly cause: string;
  readonly code: number;
  readonly signal: string;
  readonly oomKilled: boolean;
  readonly atMs: number;
  readonly livedMs: number;
  /** Undefined: the router could not be asked. */
  readonly calls: CallsInFlight | undefined;
  readonly usage: readonly UsageSample[];
  readonly memoryPeakBytes: number | undefined;
  readonly manifestHash: string;
  readonly configHash: string;
  /** 0: none. */
  readonly lastGoodGeneration: number;
  readonly changes: readonly string[];
  /** Oldest first. */
  readonly lines: readonly string[];
}

/** Longest cause and method path that are kept, characters. */
const textLimit = 4096;
const methodLimit = 256;
/** What a line of output costs in the file besides itself. */
const lineOverhead = 8;

/** The file's text: within its bound, oldest lines of output left out first, secrets hidden. */
export function crashFileText(facts: CrashFacts, secrets: readonly string[], limits: CrashLimits): string {
  const hide = (text: string): string => redact(text, secrets);
  const lines = facts.lines.slice(-limits.lines || facts.lines.length).map(hide);
  const report = { ...reportOf(facts, limits), cause: hide(facts.cause.slice(0, textLimit)) };
  const rest = Buffer.byteLength(textOf({ ...report, lines: [], linesLeftOut: facts.lines.length }));
  const kept: string[] = [];
  let left = limits.lines === 0 ? 0 : limits.fileBytes - rest - lineOverhead;
  for (const line of lines.toReversed()) {
    left -= Buffer.byteLength(JSON.stringify(line)) + lineOverhead;
    if (left < 0) break;
    kept.unshift(line);
  }
  return textOf({ ...report, lines: kept, linesLeftOut: facts.lines.length - kept.length });
}

/** The report that such a text holds. Throws when it holds none. */
export function readCrashFile(text: string): CrashReport {
  return fromJsonString(CrashReportSchema, text, { ignoreUnknownFields: true });
}

function reportOf(facts: CrashFacts, limits: CrashLimits): MessageInitShape<typeof CrashReportSchema> {
  const { code, signal, oomKilled, calls } = facts;
  return {
    package: facts.package,
    version: facts.version,
    generation: BigInt(facts.generation),
    pid: BigInt(facts.pid),
    state: facts.state,
    exit: { code, signal, oomKilled, at: timestampOf(facts.atMs) },
    livedMs: BigInt(facts.livedMs),
    calls: (calls?.calls ?? []).slice(0, limits.calls).map(({ method, ageMs, caller }) => ({
      method: method.slice(0, methodLimit),
      ageMs: BigInt(ageMs),
      caller,
    })),
    ...(calls === undefined ? {} : { openCalls: BigInt(calls.openCalls) }),
    usage: facts.usage.map(({ atMs, residentBytes, cpuSeconds, groupBytes = 0 }) => ({
      at: timestampOf(atMs),
      residentBytes: BigInt(residentBytes),
      cpuSeconds,
      cgroupMemoryBytes: BigInt(groupBytes),
    })),
    memoryPeakBytes: BigInt(facts.memoryPeakBytes ?? 0),
    manifestHash: facts.manifestHash,
    configHash: facts.configHash,
    lastGoodGeneration: BigInt(facts.lastGoodGeneration),
    changes: [...facts.changes],
  };
}

function textOf(report: MessageInitShape<typeof CrashReportSchema>): string {
  return `${JSON.stringify(toJson(CrashReportSchema, create(CrashReportSchema, report)), null, 1)}\n`;
}

function timestampOf(ms: number) {
  return timestampFromNanos(BigInt(Math.round(ms)) * 1_000_000n);
}
