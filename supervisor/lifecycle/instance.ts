import { createHash, randomBytes } from "node:crypto";
import { fstatSync } from "node:fs";
import type { InitRequest, InitResponse } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import type { Manifest } from "../config/manifest.ts";
import type { ExitRecords } from "../holder/exit-records.ts";
import type { Log } from "../log.ts";
import { AdoptedProcess } from "../process/adopted-process.ts";
import type { GroupUsage, InstanceCgroup } from "../process/cgroup/instance-cgroup.ts";
import type { InstanceProcess } from "../process/instance-process.ts";
import { instancePaths, type InstancePaths, type LaunchHost } from "../process/launch.ts";
import type { InstanceRecord, InstanceRecords } from "../process/records.ts";
import type { InstanceCalls } from "./instance-client.ts";
import type { Exit } from "./states.ts";
import type { System } from "./system.ts";

/** What an instance needs of control to start. */
export interface InstanceHost {
  readonly launch: LaunchHost;
  readonly records: InstanceRecords;
  /** How adopted processes ended. */
  readonly exits: Pick<ExitRecords, "find">;
  /** The machine. */
  readonly system: System;
  readonly log: Log;
  readonly ttrpcListenerFd: number | undefined;
  /** Registrations and peers for Init, and the config file's text; secrets resolved. Throws when config is wrong. */
  registrations(manifest: Manifest): Pick<InitRequest, "registrations" | "peers"> & { readonly configJson: string };
}

/** What tells one instance from the next. */
interface InstanceFacts {
  readonly generation: number;
  readonly firstGeneration: number;
  readonly nonce: Buffer;
  readonly configHash: string;
}

/**
 * One generation of a package, from its start (or adoption) to its end. External packages have no process: then only
 * their socket is tried. Owns: the process, the host's connection to it, its socket and config file.
 */
export class Instance {
  readonly generation: number;
  readonly manifest: Manifest;
  /** Undefined: external. */
  readonly process: InstanceProcess | undefined;
  /** Undefined: it needs none, or none could be made. */
  readonly cgroup: InstanceCgroup | undefined;
  /** Fulfilled when its process has ended, nothing of its group is left and its output was read; undefined: external. */
  readonly ended: Promise<Exit> | undefined;
  readonly client: InstanceCalls;
  /** What its cgroup had counted when it ended. */
  finalUsage: GroupUsage | undefined;
  /** Handed over in Init, repeated by Describe. */
  readonly nonce: Buffer;
  /** Of what it was started with. */
  readonly configHash: string;
  readonly #firstGeneration: number;
  readonly #host: InstanceHost;
  readonly #paths: InstancePaths;
  readonly #over = new AbortController();
  #recorded = true;

  private constructor(
    manifest: Manifest,
    host: InstanceHost,
    facts: InstanceFacts,
    paths: InstancePaths,
    process: InstanceProcess | undefined,
    cgroup: InstanceCgroup | undefined,
  ) {
    this.manifest = manifest;
    this.generation = facts.generation;
    this.nonce = facts.nonce;
    this.configHash = facts.configHash;
    this.process = process;
    this.cgroup = cgroup;
    this.ended = process?.exited.then((exit) => this.#endGroup(exit));
    this.#firstGeneration = facts.firstGeneration;
    this.#host = host;
    this.#paths = paths;
    this.client = host.system.connect(this.socket);
  }

  /**
   * Starts it; `firstGeneration` is that of the package's first start by this daemon. Throws when the command is
   * nowhere, the config is wrong or the system cannot start it.
   */
  static start(manifest: Manifest, host: InstanceHost, generation: number, firstGeneration: number): Instance {
    const paths = instancePaths(host.launch, manifest.name, generation);
    const { launch, system, ttrpcListenerFd, log } = host;
    const { cgroups } = launch.privileges;
    let cgroup: InstanceCgroup | undefined;
    try {
      if (manifest.tier !== "external") cgroup = cgroups.create(manifest, generation);
      const { configJson } = host.registrations(manifest);
      const configHash = hashOf(manifest, configJson, ttrpcListenerFd);
      const facts = { generation, firstGeneration, nonce: randomBytes(32), configHash };
      const process =
        manifest.tier === "external"
          ? undefined
          : system.start({ manifest, generation, launch, paths, configJson, cgroup, ttrpcListenerFd, log });
      const instance = new Instance(manifest, host, facts, paths, process, cgroup);
      instance.#record(false);
      return instance;
    } catch (error) {
      system.sockets.remove(paths);
      if (cgroup !== undefined) cgroups.release(cgroup);
      throw error;
    }
  }

  /** Takes over a proved one of an earlier control, and its pidfd. */
  static adopt(manifest: Manifest, host: InstanceHost, record: InstanceRecord, pidfd: number): Instance {
    const { generation, firstGeneration, configHash, nonce, kill, pid, startTime, bootId, exeInode: inode } = record;
    const paths = instancePaths(host.launch, manifest.name, generation);
    const log = host.log.child({ plugin: manifest.name });
    const { exits, launch, system } = host;
    const output = system.openOutput(paths.logFile, (line) => log.relay(line));
    const identity = { pid, startTime, bootId, exeInode: inode };
    const { state } = launch;
    const process = new AdoptedProcess({ identity, pidfd, output, kill, exits, state, processes: system.processes });
    const facts = { generation, firstGeneration, configHash, nonce: Buffer.from(nonce, "hex") };
    return new Instance(manifest, host, facts, paths, process, launch.privileges.cgroups.find(manifest, generation));
  }

  get firstGeneration(): number {
    return this.#firstGeneration;
  }

  /** Whether a later control could adopt it. */
  get adoptable(): boolean {
    return this.#recorded;
  }

  /** Whether it would be started otherwise today: with another manifest, config or listener. */
  get changed(): boolean {
    try {
      const { configJson } = this.#host.registrations(this.manifest);
      return hashOf(this.manifest, configJson, this.#host.ttrpcListenerFd) !== this.configHash;
    } catch {
      return true; // its config cannot be read any more, which its next start says
    }
  }

  /** What Init had answered. Rejects with failed-precondition when it is not the instance that was told the nonce. */
  async proveNonce(signal: AbortSignal): Promise<InitResponse | undefined> {
    const { nonce, initialized, init } = await this.client.describe(AbortSignal.any([signal, this.signal]));
    if (!initialized || !this.nonce.equals(nonce)) {
      throw new HostError("failed-precondition", `${this.socket}: it does not know the nonce it was given at Init`);
    }
    return init;
  }

  /** Notes that it is ready, from when on it may be adopted. */
  markReady(): void {
    if (this.process !== undefined) this.#host.system.sockets.publish(this.#paths);
    this.#record(true);
  }

  get socket(): string {
    return this.manifest.address ?? this.#paths.socket;
  }

  get pid(): number {
    return this.process?.pid ?? 0;
  }

  /** Aborted when the instance is over. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Resolves at the readiness line, or when the socket appears and answers. Rejects when the instance is over. */
  async untilReady(): Promise<void> {
    if (this.process !== undefined && this.manifest.readiness.by === "fd") return this.process.ready;
    await this.#host.system.sockets.untilBound(this.socket, this.signal);
    await this.client.untilServing(this.signal);
  }

  /** Ends it at once, with everything that it started unless its children are meant to outlive it. */
  kill(): void {
    this.process?.kill();
    if (this.manifest.stop.kill === "group") this.cgroup?.kill();
  }

  /** What its cgroup has counted so far. */
  usage(): GroupUsage | undefined {
    return this.cgroup?.usage();
  }

  /** Lets go of it once it has ended. */
  async forget(): Promise<void> {
    this.#over.abort(new HostError("unavailable", `${this.manifest.name} has ended`));
    if (this.process !== undefined) {
      this.#host.system.sockets.remove(this.#paths);
      this.#host.records.remove(this.manifest.name);
      if (this.cgroup !== undefined) this.#host.launch.privileges.cgroups.release(this.cgroup);
    }
    await this.client[Symbol.asyncDispose]();
  }

  /** Grandchildren that left its session are in its cgroup still. */
  #endGroup(exit: Exit): Exit {
    this.finalUsage = this.usage();
    const oomKilled = (this.finalUsage?.oomKills ?? 0) > 0 && exit.code !== 0;
    if (this.manifest.stop.kill === "group") this.cgroup?.kill();
    return oomKilled ? { ...exit, oomKilled } : exit;
  }

  #record(ready: boolean): void {
    const { generation, nonce, manifest, configHash, process } = this;
    if (process === undefined) return;
    const record: InstanceRecord = {
      ...process.identity,
      // At its start it still is the shell that becomes the program.
      exeInode: ready ? (this.#host.system.processes.identify(process.pid)?.exeInode ?? 0) : 0,
      package: manifest.name,
      generation,
      firstGeneration: this.#firstGeneration,
      socket: this.socket,
      ready,
      sinceMs: this.#host.system.clock.now(),
      ...manifest.stop,
      configHash,
      nonce: manifest.tier === "native" ? nonce.toString("hex") : "",
    };
    try {
      this.#host.records.write(record);
      this.#recorded = true;
    } catch (error) {
      this.#recorded = false;
      this.#host.log.warn("instance cannot be adopted later: its record was not written", {
        plugin: manifest.name,
        error,
      });
    }
  }
}

/** SHA-256 of all that an instance is started with: what differs is restarted. */
function hashOf(manifest: Manifest, configJson: string, ttrpcListenerFd: number | undefined): string {
  const { warnings: _, ...started } = manifest;
  const asked = manifest.listen.includes("ttrpc") && ttrpcListenerFd !== undefined;
  const listener = asked ? fstatSync(ttrpcListenerFd, { bigint: true }).ino.toString() : "";
  const plain = (_key: string, value: unknown): unknown => (value instanceof Map ? [...value] : value);
  return createHash("sha256")
    .update(JSON.stringify([started, configJson, listener], plain))
    .digest("hex");
}
