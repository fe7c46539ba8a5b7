import { HostError } from "bulkhead/plugin";
import type { Container } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import type { Mount } from "#proto/gen/containerd/types/types_pb.ts";
import type { Scope } from "./clients.ts";
import { restartLabels } from "./labels.ts";
import { nextCount } from "./policy.ts";
import { outputOf } from "./task-output.ts";

const sigkill = 9;

/**
 * Makes a container's task anew and starts it, whatever has become of the last (containerd
 * runtime/restart/monitor/change.go).
 */
export async function startTask(scope: Scope, container: Container): Promise<void> {
  const { tasks, options } = scope;
  const { id: containerId } = container;
  const output = outputOf(container.labels);
  await countStart(scope, container);
  // What is left is in the way of the new one, which then says so.
  await killTask(scope, containerId).catch(() => undefined);
  const rootfs = await rootfsOf(scope, container);
  await tasks.create({ containerId, rootfs, stdout: output, stderr: output }, options);
  await tasks.start({ containerId }, options);
}

/** Ends a task with all its processes and deletes it; one that has ended is deleted. Throws not-found without one. */
export async function killTask({ tasks, options }: Scope, containerId: string): Promise<void> {
  const ended = tasks.wait({ containerId }, options);
  ended.catch(() => undefined); // looked at below, unless there was nothing to kill
  const isKilled = await tasks.kill({ containerId, signal: sigkill, all: true }, options).then(
    () => true,
    () => false, // it has ended, or there is none: the deletion tells
  );
  if (isKilled) await ended;
  await tasks.delete({ containerId }, options);
}

async function countStart({ containers, options }: Scope, { id, labels }: Container): Promise<void> {
  const count = nextCount(labels);
  if (count === undefined) return;
  const updateMask = { paths: [`labels.${restartLabels.count}`] };
  await containers.update({ container: { id, labels: { [restartLabels.count]: String(count) } }, updateMask }, options);
}

/** Mounts of the container's snapshot; none: the spec's root is used as it is. */
async function rootfsOf({ snapshots, options }: Scope, container: Container): Promise<Mount[]> {
  const { snapshotKey: key, snapshotter } = container;
  if (key === "") return [];
  if (snapshotter === "") {
    throw new HostError("invalid-argument", "unable to resolve rootfs mounts without snapshotter on container");
  }
  const { mounts } = await snapshots.mounts({ snapshotter, key }, options);
  const label = mountLabelOf(container);
  if (label === "") return mounts;
  return mounts.map((mount) => ({ ...mount, options: [...mount.options, `context="${label}"`] }));
}

/** SELinux label for the container's mounts, "" for none. Throws for a spec that is no JSON. */
function mountLabelOf({ spec }: Container): string {
  const { linux } = JSON.parse(Buffer.from(spec?.value ?? []).toString("utf8")) as {
    readonly linux?: { readonly mountLabel?: string };
  };
  return linux?.mountLabel ?? "";
}
