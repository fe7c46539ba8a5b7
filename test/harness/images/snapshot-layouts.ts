import { Kind } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";

/** Where a snapshotter of ours has the folders of snapshots, and where in them the files are. */
export interface Layout {
  readonly folders: readonly string[];
  /** The folder of those of a kind. */
  readonly folderOf: (kind: Kind) => string;
  readonly files: string;
  /** A view of a parent is the parent itself. */
  readonly viewsAreBare?: boolean;
}

const inOne = () => "snapshots";

export const layouts = {
  overlayfs: { folders: ["snapshots"], folderOf: inOne, files: "fs" },
  native: { folders: ["snapshots"], folderOf: inOne, files: "", viewsAreBare: true },
  btrfs: { folders: ["active", "view", "snapshots"], folderOf: folderOfSubvolume, files: "" },
} as const satisfies Readonly<Record<string, Layout>>;

function folderOfSubvolume(kind: Kind): string {
  if (kind === Kind.ACTIVE) return "active";
  return kind === Kind.VIEW ? "view" : "snapshots";
}
