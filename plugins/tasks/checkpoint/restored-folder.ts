import { HostError, type Peers } from "bulkhead/plugin";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import type { CreateTaskRequest } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { contentPlugin, type PeerCall } from "../peer-call.ts";
import { checkpointTypes, unpackCheckpoint } from "./checkpoint-content.ts";
import { makeCheckpointFolder, type CheckpointFolder } from "./checkpoint-folder.ts";
import { restorePathOf } from "./checkpoint-path.ts";

/**
 * The folder of a checkpoint that a task is to go on from: the one its options name, or one that a stored archive was
 * unpacked into. Without a checkpoint its path is empty. Throws what the content store says, unknown.
 */
export async function restoredFolder(
  peers: Peers,
  runtime: string,
  { options, checkpoint }: CreateTaskRequest,
  call: PeerCall,
): Promise<CheckpointFolder> {
  const path = restorePathOf(runtime, options);
  if (path !== "" || checkpoint === undefined) return { path, [Symbol.dispose]: () => {} };
  const { mediaType, digest } = checkpoint;
  if (mediaType !== checkpointTypes.images) {
    throw new HostError("unknown", `unsupported checkpoint type ${quote(mediaType)}`);
  }
  const folder = makeCheckpointFolder();
  try {
    await unpackCheckpoint(peers.client(Content, contentPlugin), digest, folder.path, call);
    return folder;
  } catch (error) {
    folder[Symbol.dispose]();
    throw error;
  }
}
