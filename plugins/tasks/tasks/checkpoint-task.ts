import type { Peers } from "bulkhead/plugin";
import type { Container } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import type { CheckpointTaskRequest } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { storeBytes, storeFolder } from "../checkpoint/checkpoint-content.ts";
import { makeCheckpointFolder } from "../checkpoint/checkpoint-folder.ts";
import { checkpointPathOf } from "../checkpoint/checkpoint-path.ts";
import { contentPlugin, type PeerCall } from "../peer-call.ts";
import type { ShimTask } from "./shim-task.ts";

/**
 * Checkpoints a task into the folder that the options name, or into the content store, with its container's spec
 * (containerd services/tasks/local.go); gives what was stored. Throws what the shim says.
 */
export async function checkpointTask(
  task: ShimTask,
  container: Container,
  { options }: CheckpointTaskRequest,
  peers: Peers,
  call: PeerCall,
) {
  const { id, shim } = task;
  const path = checkpointPathOf(container.runtime?.name ?? "", options);
  if (path !== "") {
    await shim.task.checkpoint({ id, path, ...(options && { options }) }, call);
    return [];
  }
  using folder = makeCheckpointFolder();
  await shim.task.checkpoint({ id, path: folder.path, ...(options && { options }) }, call);
  const content = peers.client(Content, contentPlugin);
  const images = await storeFolder(content, folder.path, call);
  const spec = await storeBytes(content, `${folder.path}/spec`, container.spec?.value ?? new Uint8Array(), call);
  return [images, spec];
}
