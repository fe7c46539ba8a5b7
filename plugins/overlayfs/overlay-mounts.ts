import type { MountInit } from "../shared/snapshots/driver.ts";
import type { MountableKind } from "../shared/snapshots/snapshot.ts";

export interface OverlayLayers {
  readonly kind: MountableKind;
  readonly upper: string;
  readonly work: string;
  /** Those of the parents, nearest first. */
  readonly lower: readonly string[];
  readonly kernelOptions: readonly string[];
}

/** How a snapshot is mounted: overlay only where there is something to lay over something. */
export function overlayMounts({ kind, upper, work, lower, kernelOptions }: OverlayLayers): MountInit[] {
  const [nearest, ...further] = lower;
  if (nearest === undefined) return [bind(upper, kind === "view" ? "ro" : "rw")];
  if (kind === "view" && further.length === 0) return [bind(nearest, "ro")];
  const own = kind === "active" ? [`workdir=${work}`, `upperdir=${upper}`] : [];
  const options = [...kernelOptions, ...own, `lowerdir=${lower.join(":")}`];
  return [{ type: "overlay", source: "overlay", options }];
}

function bind(source: string, access: "ro" | "rw"): MountInit {
  return { type: "bind", source, options: [access, "rbind"] };
}
