import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isHostError } from "bulkhead/plugin";
import { Bundle, removeFolder, type BundleName } from "../bundle/bundle.ts";
import { unknownExit } from "../process-exit.ts";
import { removeStaleSocket } from "../shim/stale-socket.ts";
import { parseBootstrap, type ShimAddress } from "../shim/start-answer.ts";
import { ShimLog } from "../shim/shim-log.ts";
import { ShimProgram } from "../shim/shim-program.ts";
import { Shim } from "../shim/shim.ts";
import type { ShimCleaner, TaskShim } from "../shim/task-shim.ts";
import { watchShim } from "./ended-shim.ts";
import { deadlineIn, type RuntimeParts } from "./runtime-parts.ts";
import { ShimTask } from "./shim-task.ts";
import { endShimProcesses } from "./shim-processes.ts";

/** Bundles looked at at once. */
const concurrency = 32;

/** What is done with one bundle. What it throws is logged, and the bundle stays. */
export type LoadBundle = (parts: RuntimeParts, bundle: Bundle) => Promise<void>;

/**
 * Finds the shims of an earlier generation by their bundles and takes them up again (containerd runtime/v2/shim_load.go):
 * each has to answer. One that does not is lost, one without a process was never made and is ended. Never rejects.
 */
export async function recoverTasks(parts: RuntimeParts, load: LoadBundle = loadBundle): Promise<void> {
  for (const folder of [parts.roots.state, parts.roots.root]) sweepHalfRemoved(folder);
  const names = bundlesBelow(parts.roots.state);
  const turns = names.values();
  const work = async (): Promise<void> => {
    for (const name of turns) await recoverOne(parts, name, load);
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  removeOrphanWork(parts);
}

async function recoverOne(parts: RuntimeParts, name: BundleName, load: LoadBundle): Promise<void> {
  const bundle = new Bundle(parts.roots, name);
  try {
    await load(parts, bundle);
  } catch (error) {
    parts.log.error("bundle left alone", { ...name, error: String(error) });
  }
}

async function loadBundle(parts: RuntimeParts, bundle: Bundle): Promise<void> {
  const { timeouts, log } = parts;
  const binary = bundle.readText("shim-binary-path");
  if (binary === undefined) return bundle.delete(); // its shim was never started
  const program = new ShimProgram(binary, bundle, parts.host);
  // A start that outlived us may be about to say where its shim listens.
  if (!hasAddress(bundle)) await endShimProcesses(bundle, timeouts.loadMs);
  if (!hasAddress(bundle)) return bundle.delete();
  let shimLog: ShimLog | undefined;
  try {
    shimLog = ShimLog.open(bundle.file("log"));
    const shim = await Shim.connect({ bundle, program, log: shimLog }, readAddress(bundle), timeouts.loadMs);
    return await takeUp(parts, shim);
  } catch (error) {
    shimLog?.[Symbol.dispose]();
    log.warn("shim of an earlier generation cannot be taken up", { ...nameOf(bundle), error: String(error) });
    await cleanUpLost(parts, bundle, program);
  }
}

/** Throws when the shim does not answer; then it is disconnected. */
export async function takeUp(parts: RuntimeParts, shim: TaskShim): Promise<void> {
  const { id } = shim.bundle;
  const call = deadlineIn(parts.timeouts.loadMs);
  const { starts } = parts;
  const task = new ShimTask(shim, { first: starts.firstOf(shim.bundle), execs: starts.execsOf(shim.bundle) });
  let hasTask: boolean;
  try {
    task.pid = (await shim.task.connect({ id }, call)).taskPid;
    hasTask = task.pid !== 0 || !(await hasNoProcess(shim, call));
  } catch (error) {
    shim[Symbol.dispose]();
    throw error;
  }
  if (hasTask) parts.tasks.add(task);
  watchShim(parts, task);
  if (hasTask) return;
  // Nobody knows of it. If it was asked to make something, that was cut off, and the half of it must go.
  task.isEmpty = !["options.json", "log.json"].some((name) => existsSync(shim.bundle.file(name)));
  const { shutdownMs } = parts.timeouts;
  await shim.task.shutdown({ id, now: false }, deadlineIn(shutdownMs)).catch(() => {});
  // Who asks for the container again must not be given this one, which is about to end.
  if (!isShared(parts, shim.bundle)) await Promise.race([shim.closed, delay(shutdownMs, undefined, { ref: false })]);
  shim[Symbol.dispose]();
  await task.ended;
}

async function hasNoProcess(shim: TaskShim, call: { readonly deadlineMs: number }): Promise<boolean> {
  try {
    await shim.task.state({ id: shim.bundle.id }, call);
    return false;
  } catch (error) {
    if (isHostError(error, "not-found")) return true;
    throw error;
  }
}

/**
 * A shim that died while we were away, or does not answer and is ended: what became of its task is told once, if there
 * was one.
 */
export async function cleanUpLost(parts: RuntimeParts, bundle: Bundle, program: ShimCleaner): Promise<void> {
  const { lost, tombstones, timeouts, starts, log } = parts;
  const address = bundle.readText("address");
  const pid = Number(bundle.readText("init.pid") ?? 0) || 0;
  // One that was deleted has told of its end; only its bundle was still to go.
  const hadTask = pid > 0 && !tombstones.isDeleted(bundle.namespace, bundle.id, pid);
  let exit = unknownExit(pid);
  if (!isShared(parts, bundle)) await endShimProcesses(bundle, 0);
  try {
    exit = await program.delete(timeouts.cleanupMs);
  } catch (error) {
    log.warn("failed to clean up after shim disconnected", { ...nameOf(bundle), error: String(error) });
  }
  if (hadTask) lost.add({ ...nameOf(bundle), ...exit });
  starts.endAll(bundle);
  bundle.delete();
  removeStaleSocket(address);
}

/** Whether its shim is another bundle's, too: one shim may hold a whole group of containers. */
function isShared({ roots }: RuntimeParts, bundle: Bundle): boolean {
  const address = bundle.readText("address");
  if (address === undefined) return false;
  const others = bundlesBelow(roots.state).map((name) => new Bundle(roots, name));
  return others.some((other) => other.path !== bundle.path && other.readText("address") === address);
}

function hasAddress(bundle: Bundle): boolean {
  return ["bootstrap.json", "address"].some((name) => bundle.readText(name) !== undefined);
}

/** Throws for one of a kind that is not offered. */
function readAddress(bundle: Bundle): ShimAddress {
  const bootstrap = bundle.readText("bootstrap.json");
  return bootstrap === undefined
    ? { address: bundle.readText("address") ?? "", version: 2 }
    : parseBootstrap(bootstrap);
}

function nameOf({ namespace, id }: Bundle): BundleName {
  return { namespace, id };
}

/** Every `<namespace>/<id>`; names that begin with a dot are none. */
function bundlesBelow(folder: string): BundleName[] {
  return foldersIn(folder).flatMap((namespace) => foldersIn(join(folder, namespace)).map((id) => ({ namespace, id })));
}

function foldersIn(folder: string): string[] {
  return entriesIn(folder).filter((name) => !name.startsWith("."));
}

function entriesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Folders whose removal was cut off. */
function sweepHalfRemoved(folder: string): void {
  for (const namespace of foldersIn(folder)) {
    const half = entriesIn(join(folder, namespace)).filter((name) => name.startsWith("."));
    for (const name of half) rmSync(join(folder, namespace, name), { recursive: true, force: true });
  }
}

function removeOrphanWork({ roots, log }: RuntimeParts): void {
  const known = new Set(bundlesBelow(roots.state).map(({ namespace, id }) => join(namespace, id)));
  for (const { namespace, id } of bundlesBelow(roots.root)) {
    if (known.has(join(namespace, id))) continue;
    try {
      removeFolder(join(roots.root, namespace, id));
    } catch (error) {
      log.warn("work folder not removed", { namespace, id, error: String(error) });
    }
  }
}
