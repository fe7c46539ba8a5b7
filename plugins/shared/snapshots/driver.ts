import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Kind } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import type { MountSchema } from "#proto/gen/containerd/types/types_pb.ts";
import type { Snapshot, Usage } from "./snapshot.ts";

/** A mount as it is answered; without a target, which is the client's to choose. */
export type MountInit = MessageInitShape<typeof MountSchema>;

/** How errors of a snapshotter begin, as those of containerd's; "": they do not. */
export interface ErrorWords {
  readonly create: string;
  readonly mounts: string;
  readonly commit: string;
  readonly remove: string;
}

/** What an id is in use as: nothing; one kind; or while a snapshot is being committed, both. */
export type NeededFor = (id: bigint) => readonly Kind[];

/**
 * What a kind of snapshotter does on its disk. Records are none of its business: what is on the disk and has no record
 * is rubbish that `sweep` takes away, so each step may be cut off anywhere.
 */
export interface Driver {
  readonly words: ErrorWords;
  /** What is removed stays on the disk until the next sweep. */
  readonly keepsRemoved?: boolean;
  /** The highest id that anything on the disk is named by; 0: nothing is. */
  highestId(): bigint;
  /**
   * Makes what the snapshot consists of; it is on disk when this resolves, or `restore` can make it again as long as
   * it holds nothing. May leave parts behind when it fails.
   */
  create(snapshot: Snapshot): Promise<void>;
  /** At the start, for each recorded snapshot: makes again what a power cut took of an empty one. */
  restore?(snapshot: Snapshot): void;
  mounts(snapshot: Snapshot): MountInit[];
  /** What an active snapshot takes by itself, measured now. */
  measure(snapshot: Snapshot): Promise<Usage>;
  /** Before a commit is recorded: what a committed snapshot consists of is on disk when this resolves. */
  seal?(id: bigint): Promise<void>;
  /** The commit was not recorded: takes away what `seal` made. */
  unseal?(id: bigint): Promise<void>;
  /** The commit is recorded: what only the active snapshot needed may go. */
  sealed?(id: bigint): Promise<void>;
  /** The snapshot has no record any more, or never got one: takes away what there is of it. */
  discard(id: bigint): Promise<void>;
  /** Takes away whatever belongs to no snapshot; decides by what is on the disk and needed when it is called. */
  sweep(neededFor: NeededFor): Promise<void>;
  /** Labels that a snapshot shows beside its own. */
  labels?(id: bigint): Readonly<Record<string, string>>;
}
