import { create } from "@bufbuild/protobuf";
import { AnySchema, type Any } from "@bufbuild/protobuf/wkt";
import {
  classedError,
  HostError,
  implement,
  isHostError,
  type CallContext,
  type Peers,
  type Service,
} from "bulkhead/plugin";
import { Containers, type Container } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { namespaceOf } from "#proto/wire/identifiers.ts";
import { validateExecId } from "./bundle/task-id.ts";
import { restoredFolder } from "./checkpoint/restored-folder.ts";
import { peerCallOf } from "./peer-call.ts";
import { exitOf } from "./process-exit.ts";
import { checkpointTask } from "./tasks/checkpoint-task.ts";
import type { LegacyParts } from "./runtime-v1/legacy-parts.ts";
import { createLegacyTask, legacyRuntimeName } from "./runtime-v1/legacy-runtime.ts";
import { createTask } from "./tasks/create-task.ts";
import { deleteTask } from "./tasks/delete-task.ts";
import { metricsOf } from "./tasks/metrics.ts";
import { processOf, stateOf } from "./tasks/process-state.ts";
import type { RuntimeParts } from "./tasks/runtime-parts.ts";
import type { ShimTask } from "./tasks/shim-task.ts";
import { startProcess } from "./tasks/start-process.ts";
import { waitFor } from "./tasks/wait.ts";

/** Answers for a namespace's containers. */
const containersPlugin = "io.containerd.grpc.v1.containers";

export interface ServiceParts {
  readonly parts: RuntimeParts;
  /** Runtime v1; undefined: it is not offered. */
  readonly legacy: LegacyParts | undefined;
  readonly peers: Peers;
}

/** containerd.services.tasks.v1 over shims (containerd services/tasks/local.go). */
export function tasksService({ parts, legacy, peers }: ServiceParts): Service {
  const { tasks } = parts;
  /** Throws not-found, also for a container without a task. */
  const taskFor = ({ id }: Container, { metadata }: CallContext): ShimTask => {
    const task = tasks.find(namespaceOf(metadata), id);
    if (task === undefined) throw new HostError("not-found", `task ${id} not found`);
    return task;
  };
  const taskOf = async (id: string, context: CallContext): Promise<ShimTask> =>
    taskFor(await containerOf(peers, id, context), context);
  /** The same for a process of it. A shim asked to start an exec that it does not know dies of that. */
  const processIn = async (id: string, execId: string, context: CallContext): Promise<ShimTask> => {
    const task = await taskOf(id, context);
    if (execId !== "") await stateOf(task, execId, limitsOf(context));
    return task;
  };
  return implement(Tasks, {
    async create(request, context) {
      const { containerId, rootfs, stdin, stdout, stderr, terminal, runtimePath } = request;
      const namespace = namespaceOf(context.metadata);
      const container = await containerOf(peers, containerId, context);
      const runtime = container.runtime?.name ?? "";
      using restored = await restoredFolder(peers, runtime, request, peerCallOf(context));
      if (tasks.find(namespace, containerId) !== undefined) throw classedError("already-exists", `task ${containerId}`);
      const wanted = {
        namespace,
        id: containerId,
        runtime: runtimePath === "" ? runtime : runtimePath,
        spec: container.spec,
        rootfs,
        stdin,
        stdout,
        stderr,
        terminal,
        checkpoint: restored.path,
      };
      const options = optionsOf(request.options);
      const runtimeOptions = container.runtime?.options;
      const { pid } =
        legacy !== undefined && runtime === legacyRuntimeName
          ? await createLegacyTask(legacy, { ...wanted, options, runtimeOptions }, context)
          : await createTask(
              parts,
              { ...wanted, options: options ?? optionsOf(runtimeOptions) ?? runtimeOptions },
              context,
            );
      return { containerId, pid };
    },
    async start({ containerId: id, execId }, context) {
      const task = await processIn(id, execId, context);
      return { pid: await startProcess(parts, task, execId, limitsOf(context)) };
    },
    async delete({ containerId }, context) {
      const task = await taskOf(containerId, context);
      return deleteTask(parts, task, context);
    },
    async deleteProcess({ containerId: id, execId }, context) {
      const task = await taskOf(id, context);
      const { shim, namespace } = task;
      await stateOf(task, execId, limitsOf(context));
      const exit = exitOf(await shim.task.delete({ id, execId }, limitsOf(context)));
      parts.tombstones.add({ namespace, id, execId, ...exit });
      parts.starts.end({ namespace, id, execId });
      task.failedStarts.delete(execId);
      return { id: execId, ...exit };
    },
    async get({ containerId, execId }, context) {
      // Its container is asked for meanwhile, and says first what is wrong.
      const known = tasks.find(namespaceOf(context.metadata), containerId);
      const process = known && processOf(parts, known, execId);
      process?.catch(() => {});
      const task = await taskOf(containerId, context);
      return { process: await (task === known && process !== undefined ? process : processOf(parts, task, execId)) };
    },
    async list(_request, { metadata }) {
      const all = await Promise.all(
        tasks.in(namespaceOf(metadata)).map(async (task) => {
          try {
            return await processOf(parts, task, "");
          } catch (error) {
            if (isHostError(error, "not-found")) return []; // deleted meanwhile
            throw error;
          }
        }),
      );
      return { tasks: all.flat() };
    },
    async kill({ containerId: id, execId, signal, all }, context) {
      const { shim } = await processIn(id, execId, context);
      await shim.task.kill({ id, execId, signal, all }, limitsOf(context));
      return {};
    },
    async exec({ containerId: id, execId, stdin, stdout, stderr, terminal, spec }, context) {
      if (execId === "") throw new HostError("invalid-argument", "exec id cannot be empty");
      const { shim } = await taskOf(id, context);
      validateExecId(execId);
      if (spec === undefined) throw missing(`exec ${execId}`, "spec"); // runc's shim would die of it
      await shim.task.exec({ id, execId, stdin, stdout, stderr, terminal, spec }, limitsOf(context));
      return {};
    },
    async resizePty({ containerId: id, execId, width, height }, context) {
      const { shim } = await processIn(id, execId, context);
      await shim.task.resizePty({ id, execId, width, height }, limitsOf(context));
      return {};
    },
    async closeIO({ containerId: id, execId, stdin }, context) {
      const { shim } = await processIn(id, execId, context);
      if (stdin) await shim.task.closeIO({ id, execId, stdin }, limitsOf(context));
      return {};
    },
    async pause({ containerId: id }, context) {
      const { shim } = await taskOf(id, context);
      await shim.task.pause({ id }, limitsOf(context));
      return {};
    },
    async resume({ containerId: id }, context) {
      const { shim } = await taskOf(id, context);
      await shim.task.resume({ id }, limitsOf(context));
      return {};
    },
    async checkpoint(request, context) {
      const container = await containerOf(peers, request.containerId, context);
      const task = taskFor(container, context);
      return { descriptors: await checkpointTask(task, container, request, peers, peerCallOf(context)) };
    },
    async listPids({ containerId: id }, context) {
      const { shim } = await taskOf(id, context);
      const { processes } = await shim.task.pids({ id }, limitsOf(context));
      return { processes };
    },
    async update({ containerId: id, resources, annotations }, context) {
      const { shim } = await taskOf(id, context);
      if (resources === undefined) throw missing(`update task ${id}`, "resources"); // runc's shim would die of it
      await shim.task.update({ id, annotations, resources }, limitsOf(context));
      return {};
    },
    metrics: ({ filters }, context) => metricsOf(parts, filters, context),
    async wait({ containerId: id, execId }, context) {
      const namespace = namespaceOf(context.metadata);
      try {
        return await waitFor(await processIn(id, execId, context), execId, limitsOf(context));
      } catch (error) {
        const exit = parts.tombstones.ofEarlier({ namespace, id, execId });
        if (exit === undefined || !isHostError(error, "not-found")) throw error;
        return { exitStatus: exit.exitStatus, exitedAt: exit.exitedAt };
      }
    },
  });
}

async function containerOf(peers: Peers, id: string, context: CallContext): Promise<Container> {
  namespaceOf(context.metadata);
  const { container } = await peers.client(Containers, containersPlugin).get({ id }, peerCallOf(context));
  if (container === undefined) throw new HostError("internal", `container ${id}: no answer`);
  return container;
}

function missing(attempt: string, field: string): HostError {
  return classedError("invalid-argument", `${attempt}: ${field} is missing`);
}

function limitsOf({ signal, deadlineMs }: CallContext) {
  return { signal, deadlineMs };
}

/** Options without content are none, as in containerd. */
function optionsOf(options: Any | undefined): Any | undefined {
  return options === undefined || options.value.length === 0 ? undefined : create(AnySchema, options);
}
