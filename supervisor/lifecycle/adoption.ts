import type { Log } from "../log.ts";
import { Deadline } from "../clock.ts";
import { instancePaths } from "../process/launch.ts";
import { endProcess } from "../process/leftovers.ts";
import { proveInstance, type Proof } from "../process/prove-instance.ts";
import type { InstanceRecord } from "../process/records.ts";
import { isSameProcess, type ProcessIdentity } from "../process/process-identity.ts";
import { linuxProcesses, type ProcessTable } from "../process/process-table.ts";
import type { LeftGeneration } from "../process/socket-files.ts";
import type { Manifest } from "../config/manifest.ts";
import type { Fleet } from "./fleet.ts";
import { Instance, type InstanceHost } from "./instance.ts";
import type { PackageRunner } from "./package-runner.ts";

/** How long a native package may take to repeat its nonce; it may be busy, or stopped. */
const describeWithinMs = 5000;

/** A process that may be an old instance. */
type OldInstance = ProcessIdentity & LeftGeneration;

/** Old instances that could not be proved dead, by package. */
export class Obstructions {
  readonly #records = new Map<string, OldInstance>();
  readonly #processes: ProcessTable;

  constructor(processes: ProcessTable = linuxProcesses) {
    this.#processes = processes;
  }

  add(record: OldInstance): void {
    this.#records.set(record.package, record);
  }

  /** Why a singleton may not start; undefined: it may. Looked at again each time. */
  of({ name, singleton }: Pick<Manifest, "name" | "singleton">): string | undefined {
    const record = this.#records.get(name);
    if (!singleton || record === undefined) return undefined;
    if (this.isInTheWay(record)) {
      return `old instance not dead (generation ${record.generation}, pid ${record.pid})`;
    }
    this.#records.delete(name);
    return undefined;
  }

  isInTheWay(record: OldInstance): boolean {
    return isSameProcess(record, (pid) => this.#processes.identify(pid));
  }
}

export interface AdoptionOptions {
  readonly fleet: Fleet;
  readonly host: InstanceHost;
  readonly obstructions: Obstructions;
}

/**
 * Settles what an earlier control left of one package: a proved instance goes on under the package's runner, others of
 * ours are ended, strangers are never signalled. Never rejects.
 */
export async function settleRecord(record: InstanceRecord, options: AdoptionOptions): Promise<void> {
  const { fleet, host } = options;
  const log = host.log.child({ plugin: record.package, generation: record.generation, pid: record.pid });
  try {
    const runner = fleet.runners.get(record.package);
    const wanted = fleet.plan(record.package)?.initial.state === "declared" ? runner : undefined;
    await settle(record, proveInstance(record, host.system.processes), wanted, options, log);
  } catch (error) {
    options.obstructions.add(record);
    log.error("an instance of an earlier control cannot be settled", { error });
  }
}

/**
 * Ends what still runs of a generation that no record tells of: the disk was full, or the record is corrupt. It can
 * not be adopted, since what it was started with is not known. Never rejects.
 */
export async function endUnrecorded(left: LeftGeneration, options: AdoptionOptions): Promise<void> {
  const { fleet, host, obstructions } = options;
  const { processes, sockets } = host.system;
  const paths = instancePaths(host.launch, left.package, left.generation);
  const { kill, graceMs } = fleet.runners.get(left.package)?.manifest.stop ?? unknownStop;
  const log = host.log.child({ plugin: left.package, generation: left.generation });
  const end = async (pid: number): Promise<void> => {
    const pidfd = processes.open(pid);
    if (pidfd === undefined) return;
    // It means whoever had the pid when it was opened: is that still the one that was found?
    const identity = processes.identify(pid);
    if (identity === undefined || !processes.startedFor(paths.socket).includes(pid)) return processes.close(pidfd);
    try {
      log.warn("ending an instance of which there is no record", { pid });
      await endProcess({ pid, kill }, pidfd, graceMs, host.system);
    } catch (error) {
      obstructions.add({ ...identity, ...left });
      log.error("an instance of which there is no record cannot be ended", { pid, error });
    }
  };
  try {
    // Children that are to outlive their package have its environment, too, but not its socket.
    const serves = (pid: number): boolean => kill === "group" || listens(processes, paths.socket, pid);
    await Promise.all(processes.startedFor(paths.socket).filter(serves).map(end));
    sockets.remove(paths);
  } catch (error) {
    log.error("what is left of an instance cannot be looked at", { error });
  }
}

/** Of packages that are not known any more. */
const unknownStop = { kill: "process", graceMs: 10_000 } as const;

function listens(processes: ProcessTable, socket: string, pid: number): boolean {
  try {
    return processes.listenerOf(socket) === pid;
  } catch {
    return false; // nobody does
  }
}

async function settle(
  record: InstanceRecord,
  proof: Proof,
  runner: PackageRunner | undefined,
  options: AdoptionOptions,
  log: Log,
): Promise<void> {
  const { host, obstructions } = options;
  switch (proof.kind) {
    case "gone":
      log.info("an instance of an earlier control is gone", { reason: proof.reason });
      return forget(record, host);
    case "stranger":
      obstructions.add(record);
      log.warn("not adopted, and left alone", { reason: proof.reason });
      // The record may name the wrong process: the right one is looked for. As long as the one that is named is in
      // the way, a later control must know of it, too.
      await endUnrecorded(record, options);
      return obstructions.isInTheWay(record) ? undefined : forget(record, host);
    case "ours":
      log.warn("not adopted", { reason: proof.reason });
      await endProcess(record, proof.pidfd, 0, host.system);
      return forget(record, host);
    case "proved":
      if (runner !== undefined) return adopt(record, proof.pidfd, runner, host, log);
      log.info("not adopted", { reason: "the package is not to run any more" });
      await endProcess(record, proof.pidfd, record.graceMs, host.system);
      return forget(record, host);
  }
}

async function adopt(
  record: InstanceRecord,
  pidfd: number,
  runner: PackageRunner,
  host: InstanceHost,
  log: Log,
): Promise<void> {
  const { manifest } = runner;
  const instance = Instance.adopt(manifest, host, record, pidfd);
  try {
    using deadline = new Deadline(host.system.clock, describeWithinMs);
    const isNative = manifest.tier === "native";
    const init = isNative ? await instance.proveNonce(deadline.signal) : undefined;
    runner.adopt(instance, init);
    log.info("plugin adopted");
  } catch (error) {
    log.warn("not adopted", { error });
    instance.process?.kill();
    await instance.process?.exited;
    await instance.forget();
  }
}

function forget(record: InstanceRecord, host: InstanceHost): void {
  host.records.remove(record.package);
  host.system.sockets.remove(instancePaths(host.launch, record.package, record.generation));
}
