import type { Mount } from "#proto/gen/containerd/types/types_pb.ts";
import type { MountSpec } from "./mounts/overlay.ts";

/** What a thread can be given of a mount. */
export function plainMount({ type, source, options }: Mount): MountSpec {
  return { type, source, options };
}
