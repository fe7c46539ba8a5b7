import type { Any } from "@bufbuild/protobuf/wkt";
import { HostError, isHostError } from "bulkhead/plugin";
import type { Mount } from "#proto/gen/containerd/types/types_pb.ts";
import { Bundle, type BundleName } from "../bundle/bundle.ts";
import { resolveRuntime } from "../shim/runtime-path.ts";
import { ShimLog } from "../shim/shim-log.ts";
import { ShimProgram } from "../shim/shim-program.ts";
import { Shim, type ShimParts } from "../shim/shim.ts";
import type { TaskShim } from "../shim/task-shim.ts";
import { ConnectionClosed } from "../ttrpc/connection.ts";
import { watchShim } from "./ended-shim.ts";
import { deadlineIn, type RuntimeParts } from "./runtime-parts.ts";
import { ShimTask } from "./shim-task.ts";

/** What a task is made of. */
export interface CreateRequest extends BundleName {
  readonly runtime: string;
  /** The OCI spec as JSON. */
  readonly spec: Any | undefined;
  /** For shim and runtime. */
  readonly options: Any | undefined;
  readonly rootfs: readonly Mount[];
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly terminal: boolean;
  /** Folder of a checkpoint's images; empty: none. */
  readonly checkpoint: string;
}

export interface CallLimits {
  readonly signal: AbortSignal;
  readonly deadlineMs?: number | undefined;
}

/**
 * Starts a shim and has it make the container (containerd runtime/v2/manager.go); gives the task, with its pid. What
 * fails leaves nothing. Throws what the shim says, unknown, resource-exhausted.
 */
export async function createTask(parts: RuntimeParts, request: CreateRequest, call: CallLimits): Promise<ShimTask> {
  const shim = await prefixed("failed to start shim", startShim(parts, request, call));
  return prefixed("failed to create shim task", createOn(parts, shim, request, call));
}

/** Has a shim that runs make the container; ends the shim when it cannot. Throws what the shim says. */
export async function createOn(
  parts: RuntimeParts,
  shim: TaskShim,
  request: CreateRequest,
  call: CallLimits,
): Promise<ShimTask> {
  const task = new ShimTask(shim);
  parts.tasks.add(task);
  watchShim(parts, task);
  try {
    const { id, rootfs, stdin, stdout, stderr, terminal, checkpoint, options } = request;
    const answer = await shim.task.create(
      {
        id,
        bundle: shim.bundle.path,
        rootfs: [...rootfs],
        stdin,
        stdout,
        stderr,
        terminal,
        checkpoint,
        ...(options && { options }),
      },
      call,
    );
    task.pid = answer.pid;
    return task;
  } catch (error) {
    parts.tasks.remove(task);
    // It says that it could not, and runc has written no pid: nothing of ours is there, though something may be by this
    // name elsewhere.
    task.isEmpty = isAnswer(error, call) && shim.bundle.readText("init.pid") === undefined;
    await giveUp(parts, task);
    throw error;
  }
}

async function startShim(parts: RuntimeParts, request: CreateRequest, call: CallLimits): Promise<Shim> {
  const { roots, places, host } = parts;
  const bundle = Bundle.create(roots, request, request.spec?.value);
  let log: ShimLog | undefined;
  try {
    const binary = resolveRuntime(request.runtime, places());
    const program = new ShimProgram(binary, bundle, host);
    log = ShimLog.open(bundle.file("log"));
    // Before the start, so that whatever happens from here on a restart knows whose shim it may be.
    bundle.writeText("shim-binary-path", binary);
    return await prefixed("start failed", connectStarted(parts, { bundle, program, log }, request, call));
  } catch (error) {
    log?.[Symbol.dispose]();
    bundle.delete();
    throw error;
  }
}

async function connectStarted(
  { timeouts }: RuntimeParts,
  shim: ShimParts,
  { options }: CreateRequest,
  { signal }: CallLimits,
): Promise<Shim> {
  const address = await shim.program.start(options, timeouts.startMs, signal);
  if (address.version !== 2) shim.bundle.writeText("bootstrap.json", JSON.stringify({ ...address, protocol: "ttrpc" }));
  return Shim.connect(shim, address, timeouts.loadMs);
}

/** Whether it came from the shim, which had all the time that it needed. */
function isAnswer(error: unknown, { signal }: CallLimits): boolean {
  const cuts = ["deadline-exceeded", "canceled"] as const;
  const isCut = error instanceof ConnectionClosed || cuts.some((kind) => isHostError(error, kind)) || signal.aborted;
  return isHostError(error) && !isCut;
}

/** Ends a shim whose task could not be made; never rejects. */
async function giveUp(parts: RuntimeParts, task: ShimTask): Promise<void> {
  const { cleanupMs } = parts.timeouts;
  const { id, shim } = task;
  try {
    await shim.task.delete({ id }, deadlineIn(cleanupMs));
  } catch (error) {
    parts.log.debug("task that was not made could not be deleted", { id, error: String(error) });
  }
  try {
    await shim.task.shutdown({ id, now: false }, deadlineIn(cleanupMs));
  } catch (error) {
    parts.log.debug("shim not shut down", { id, error: String(error) });
  }
  shim[Symbol.dispose]();
  await task.ended;
}

async function prefixed<T>(text: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isHostError(error)) throw new HostError(error.kind, `${text}: ${error.message}`, { cause: error });
    throw error;
  }
}
