import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import type { CallContext, Log, Peers } from "bulkhead/plugin";
import type { ApplyRequest, DiffRequest } from "#proto/gen/containerd/services/diff/v1/diff_pb.ts";
import type { ApplyLimits } from "./apply/limits.ts";
import { writeDiffBlob } from "./diff-blob.ts";
import type { Differ } from "./differ.ts";
import { openLayerBlob } from "./layer-blobs.ts";
import { sweepFolder } from "./mounts/temp-mount.ts";
import { plainMount } from "./plain-mount.ts";
import { planChain, type ProcessorConfig } from "./processors/chain.ts";
import { layerTar } from "./processors/media-types.ts";
import type { Workers } from "./threads/workers.ts";
import { Turns } from "./turns.ts";

export interface WalkingOptions {
  readonly peers: Peers;
  readonly log: Log;
  readonly workers: Workers;
  readonly limits: ApplyLimits;
  readonly processors: ReadonlyMap<string, ProcessorConfig>;
  /** This generation's folder below the daemon's `tmpmounts`. */
  readonly tempMounts: string;
}

/**
 * Unpacks layers, and makes them by walking two trees, as containerd's differ of that name does; on threads, so that
 * the package answers meanwhile. A call ends when nothing of it is mounted or written any more.
 */
export class WalkingDiffer implements Differ {
  readonly #options: WalkingOptions;
  readonly #turns = new Turns();
  #jobs = 0;

  constructor(options: WalkingOptions) {
    this.#options = options;
  }

  async apply({ diff, mounts, payloads, syncFs }: ApplyRequest, context: CallContext) {
    const { mediaType = "", digest = "" } = diff ?? {};
    const { peers, log, workers, limits, processors } = this.#options;
    // One tree is written by one call at a time: what a caller who has gone left running ends first.
    const facts = await this.#turns.run(JSON.stringify(mounts), context.signal, async () => {
      await using blob = await openLayerBlob(peers, digest, context);
      const steps = planChain(mediaType, processors, serialized(payloads));
      return await this.#inTempMounts((tempMounts) => {
        const job = { kind: "apply", blob: blob.source, blobBytes: blob.size, steps, tempMounts } as const;
        const onIgnored = (what: string): void => log.warn("part of a layer is ignored", { digest, what });
        const options = { signal: context.signal, transfer: blob.transfer, onIgnored };
        return workers.run({ ...job, mounts: mounts.map(plainMount), limits, sync: syncFs }, options);
      });
    });
    return { applied: { mediaType: layerTar, digest: facts.digest, size: BigInt(facts.size) } };
  }

  async diff(request: DiffRequest, context: CallContext) {
    const { peers, workers } = this.#options;
    const diff = await this.#inTempMounts((tempMounts) =>
      writeDiffBlob({ peers, workers, tempMounts, request, context }),
    );
    return { diff };
  }

  /** A folder of its own for the mounts of one job; swept when its thread has died and could not. */
  async #inTempMounts<T>(run: (folder: string) => Promise<T>): Promise<T> {
    const folder = join(this.#options.tempMounts, `job-${++this.#jobs}`);
    try {
      return await run(folder);
    } finally {
      for (const problem of sweepFolder(folder)) {
        this.#options.log.warn("temporary mount left behind", { error: problem });
      }
    }
  }
}

function serialized(payloads: ApplyRequest["payloads"]): ReadonlyMap<string, Uint8Array> {
  return new Map(Object.entries(payloads).map(([id, payload]) => [id, toBinary(AnySchema, payload)]));
}
