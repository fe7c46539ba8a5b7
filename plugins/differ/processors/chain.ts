import { HostError } from "#proto/wire/errors.ts";
import { compressionOf, layerTar } from "./media-types.ts";

/** An entry of containerd's `stream_processors`. */
export interface ProcessorConfig {
  readonly accepts: readonly string[];
  readonly returns: string;
  /** Program; looked for in PATH without a slash. */
  readonly path: string;
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
}

/** One step from a blob to the tar of a layer. */
export type ProcessorStep =
  | { readonly kind: "decompress" }
  | {
      readonly kind: "program";
      readonly path: string;
      readonly args: readonly string[];
      readonly env: readonly string[];
      /** What it is fed. */
      readonly mediaType: string;
      /** Serialized Any on descriptor 3. */
      readonly payload: Uint8Array | undefined;
    };

/** More than any sane configuration has; ends one that goes in a circle. */
const stepLimit = 16;

/**
 * The steps for a media type: configured programs first, later ones before earlier ones, then what is built in. Throws
 * unknown where none leads to a layer's tar.
 */
export function planChain(
  mediaType: string,
  configured: ReadonlyMap<string, ProcessorConfig>,
  payloads: ReadonlyMap<string, Uint8Array>,
): ProcessorStep[] {
  const steps: ProcessorStep[] = [];
  const programs = [...configured].reverse();
  for (let type = mediaType; steps.length < stepLimit; ) {
    const [id, program] = programs.find(([, { accepts }]) => accepts.includes(type)) ?? [];
    if (id === undefined || program === undefined) {
      const compression = compressionOf(type);
      if (compression === undefined) break;
      if (compression === "sniffed") steps.push({ kind: "decompress" });
      return steps;
    }
    const { path, args, env, returns } = program;
    steps.push({ kind: "program", path, args, env, mediaType: type, payload: payloads.get(id) });
    if (returns === layerTar) return steps;
    type = returns;
  }
  throw new HostError("unknown", `failed to get stream processor for ${mediaType}: no processor for media-type`);
}
