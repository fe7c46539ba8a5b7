/** A mount as snapshotters give it. */
export interface MountSpec {
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** Folders of an overlay, lower ones nearest first. */
export interface OverlayFolders {
  readonly upper: string;
  readonly lowers: readonly string[];
}

/** What a list of exactly one overlay with an upper folder is made of; undefined: it is another list. */
export function overlayFolders(mounts: readonly MountSpec[]): OverlayFolders | undefined {
  const [mount] = mounts;
  if (mount === undefined || mounts.length !== 1 || mount.type !== "overlay") return undefined;
  const upper = optionOf(mount, "upperdir");
  if (upper === undefined || upper === "") return undefined;
  return { upper, lowers: (optionOf(mount, "lowerdir") ?? "").split(":").filter((path) => path !== "") };
}

/** The folder that a list of exactly one writable bind mount means; undefined: it is another list. */
export function boundFolder(mounts: readonly MountSpec[], need: "writable" | "readable"): string | undefined {
  const [mount] = mounts;
  if (mount === undefined || mounts.length !== 1 || mount.type !== "bind") return undefined;
  // What a mount of it would show is what its source shows, sub-mounts included, if nothing else is asked for.
  const plain = need === "writable" ? ["rbind", "rw"] : ["rbind", "rw", "ro"];
  const isPlain = mount.options.includes("rbind") && mount.options.every((option) => plain.includes(option));
  return isPlain && mount.source.startsWith("/") ? mount.source : undefined;
}

/** The same tree without a way to change it (mount/mount.go, readonlyMounts). */
export function readonlyMounts(mounts: readonly MountSpec[]): MountSpec[] {
  return mounts.map((mount) => {
    if (mount.type !== "overlay") return { ...mount, options: readonlyOptions(mount.options) };
    const upper = optionOf(mount, "upperdir");
    const options = mount.options.filter((option) => !/^(upperdir|workdir)=/.test(option));
    if (upper === undefined) return { ...mount, options };
    return {
      ...mount,
      options: options.map((option) =>
        option.startsWith("lowerdir=") ? `lowerdir=${upper}:${option.slice("lowerdir=".length)}` : option,
      ),
    };
  });
}

function readonlyOptions(options: readonly string[]): string[] {
  return [...options.filter((option) => option !== "rw" && option !== "ro"), "ro"];
}

function optionOf({ options }: MountSpec, name: string): string | undefined {
  const found = options.find((option) => option.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}
