import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { classedError, isHostError, type Client } from "bulkhead/plugin";
import {
  TaskCheckpointedSchema,
  TaskCreateSchema,
  TaskDeleteSchema,
  TaskExecStartedSchema,
  TaskPausedSchema,
  TaskResumedSchema,
  TaskStartSchema,
} from "#proto/gen/containerd/events/events_pb.ts";
import type { Shim } from "#proto/gen/containerd/runtime/linux/shim/v1/shim_pb.ts";
import {
  ConnectResponseSchema,
  CreateTaskResponseSchema,
  DeleteResponseSchema,
  PidsResponseSchema,
  StartResponseSchema,
  StateResponseSchema,
  StatsResponseSchema,
  WaitResponseSchema,
  type Task,
} from "#proto/gen/containerd/task/v2/task_pb.ts";
import { MetricsSchema } from "#proto/gen/containerd/cgroups/v1/metrics_pb.ts";
import { packAny } from "#proto/wire/any.ts";
import { deviceNames } from "../../shared/cgroups/block-devices.ts";
import { groupFoldersOf, type GroupFolders } from "../../shared/cgroups/group-folders.ts";
import type { Hierarchies } from "../../shared/cgroups/hierarchies.ts";
import { exitOf } from "../process-exit.ts";
import type { Bundle } from "../bundle/bundle.ts";
import type { LegacyCleaner } from "./cleaner.ts";
import { groupMetrics } from "./group-metrics.ts";
import type { TaskEvents } from "./task-events.ts";

export interface LegacyTask {
  readonly bundle: Bundle;
  /** Name or path of the runtime that the shim drives. */
  readonly runtime: string;
  readonly events: TaskEvents;
  readonly cleaner: LegacyCleaner;
  /** Where groups are, for metrics. */
  readonly hierarchies: Hierarchies;
  /** Ends the shim's process, which is asked for its pid. */
  readonly end: (ask: () => Promise<{ readonly shimPid: number }>) => Promise<void>;
}

/**
 * The API of v2 over a v1 shim, which has one task, all of whose processes are named in one field. What such a shim
 * leaves to its daemon to tell (containerd runtime/v1/linux/task.go), is told here.
 */
export function legacyTaskClient(
  shim: Client<typeof Shim>,
  { bundle, runtime, events, cleaner, hierarchies, end }: LegacyTask,
): Client<typeof Task> {
  const { id, namespace } = bundle;
  const nameOf = (execId = ""): string => (execId === "" ? id : execId);
  const pidOf = async (options: Parameters<typeof shim.state>[1]): Promise<number> => {
    try {
      return (await shim.state({ id }, options)).pid;
    } catch (error) {
      if (isHostError(error, "not-found")) return 0;
      throw error;
    }
  };
  /** Of the first process, known from when it ran. */
  let folders: GroupFolders | undefined;
  const findFolders = (pid: number) => {
    if (hierarchies.version === 1 && pid !== 0) folders ??= groupFoldersOf(hierarchies, pid);
  };
  return {
    async connect(_request, options) {
      const { shimPid } = await shim.shimInfo({}, options);
      const taskPid = await pidOf(options);
      findFolders(taskPid);
      return create(ConnectResponseSchema, { shimPid, taskPid });
    },
    async create(
      { rootfs = [], stdin = "", stdout = "", stderr = "", terminal = false, checkpoint = "", ...more },
      options,
    ) {
      const { options: given } = more;
      const { pid } = await shim.create(
        {
          id,
          bundle: bundle.path,
          runtime,
          rootfs,
          stdin,
          stdout,
          stderr,
          terminal,
          checkpoint,
          ...(given && { options: given }),
        },
        options,
      );
      findFolders(pid);
      const io = { stdin, stdout, stderr, terminal };
      const told = { containerId: id, bundle: bundle.path, rootfs, io, checkpoint, pid };
      await events.tell(namespace, "/tasks/create", TaskCreateSchema, told);
      return create(CreateTaskResponseSchema, { pid });
    },
    async start({ execId = "" }, options) {
      const { pid } = await shim.start({ id: nameOf(execId) }, options);
      await (execId === ""
        ? events.tell(namespace, "/tasks/start", TaskStartSchema, { containerId: id, pid })
        : events.tell(namespace, "/tasks/exec-started", TaskExecStartedSchema, { containerId: id, execId, pid }));
      return create(StartResponseSchema, { pid });
    },
    async delete({ execId = "" }, options) {
      const { pid, exitStatus, exitedAt } =
        execId === "" ? await shim.delete({}, options) : await shim.deleteProcess({ id: execId }, options);
      const answer = create(DeleteResponseSchema, { pid, exitStatus, ...(exitedAt && { exitedAt }) });
      if (execId === "") cleaner.deleted = exitOf(answer);
      return answer;
    },
    async exec({ execId = "", stdin = "", stdout = "", stderr = "", terminal = false, spec }, options) {
      return shim.exec({ id: execId, stdin, stdout, stderr, terminal, ...(spec && { spec }) }, options);
    },
    async state({ execId = "" }, options) {
      const { id: _id, $typeName: _type, ...state } = await shim.state({ id: nameOf(execId) }, options);
      return create(StateResponseSchema, { ...state, id, execId });
    },
    async kill({ execId = "", signal = 0, all = false }, options) {
      return shim.kill({ id: nameOf(execId), signal, all }, options);
    },
    async wait({ execId = "" }, options) {
      const { exitStatus, exitedAt } = await shim.wait({ id: nameOf(execId) }, options);
      return create(WaitResponseSchema, { exitStatus, ...(exitedAt && { exitedAt }) });
    },
    async pids(_request, options) {
      const { processes } = await shim.listPids({ id }, options);
      return create(PidsResponseSchema, { processes });
    },
    async pause(_request, options) {
      const answer = await shim.pause({}, options);
      await events.tell(namespace, "/tasks/paused", TaskPausedSchema, { containerId: id });
      return answer;
    },
    async resume(_request, options) {
      const answer = await shim.resume({}, options);
      await events.tell(namespace, "/tasks/resumed", TaskResumedSchema, { containerId: id });
      return answer;
    },
    async resizePty({ execId = "", width = 0, height = 0 }, options) {
      return shim.resizePty({ id: nameOf(execId), width, height }, options);
    },
    async closeIO({ execId = "", stdin = false }, options) {
      return shim.closeIO({ id: nameOf(execId), stdin }, options);
    },
    async checkpoint({ path = "", options: given }, options) {
      const answer = await shim.checkpoint({ path, ...(given && { options: given }) }, options);
      await events.tell(namespace, "/tasks/checkpointed", TaskCheckpointedSchema, { containerId: id });
      return answer;
    },
    async update({ resources }, options) {
      return shim.update({ ...(resources && { resources }) }, options);
    },
    stats() {
      if (folders === undefined) return Promise.reject(classedError("not-found", "cgroup does not exist"));
      const stats = packAny(MetricsSchema, groupMetrics(folders, deviceNames()));
      return Promise.resolve(create(StatsResponseSchema, { stats }));
    },
    async shutdown(_request, options) {
      await end(() => shim.shimInfo({}, options));
      const { deleted } = cleaner;
      if (deleted !== undefined) {
        await events.tell(namespace, "/tasks/delete", TaskDeleteSchema, { containerId: id, ...deleted });
      }
      return create(EmptySchema);
    },
  };
}
