import type { ApplyLimits } from "./apply/limits.ts";
import type { ProcessorConfig } from "./processors/chain.ts";

/** Config of `io.containerd.differ.v1.walking`, defaults filled in by the host. */
export interface WalkingConfig {
  readonly max_concurrent: number;
  readonly max_header_bytes: number;
  readonly max_name_bytes: number;
  readonly max_entries: number;
  readonly max_ratio: number;
  readonly keep_free_bytes: number;
  /** Folder whose bin comes first in PATH; empty: none. */
  readonly opt_path?: string;
  readonly stream_processors: Readonly<
    Record<string, Pick<ProcessorConfig, "accepts" | "returns" | "path"> & Partial<ProcessorConfig>>
  >;
}

/** Config of `io.containerd.service.v1.diff-service`. */
export interface DiffServiceConfig {
  readonly default: readonly string[];
  readonly sync_fs: boolean;
}

/** Small layers of zeros are harmless, whatever their ratio. */
const ratioFromBytes = 2 ** 30;

export function limitsOf(config: WalkingConfig): ApplyLimits {
  return {
    headerBytes: config.max_header_bytes,
    nameBytes: config.max_name_bytes,
    entries: config.max_entries,
    ratio: config.max_ratio,
    ratioFromBytes,
    keepFreeBytes: config.keep_free_bytes,
  };
}

export function processorsOf(config: WalkingConfig): ReadonlyMap<string, ProcessorConfig> {
  return new Map(Object.entries(config.stream_processors).map(([id, entry]) => [id, { args: [], env: [], ...entry }]));
}
