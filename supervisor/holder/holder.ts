import { rmSync } from "node:fs";
import { join } from "node:path";
import { keepDescriptorsFromChildren, settleAfterStart } from "#linux";
import type { Config } from "../config/config.ts";
import { hostVersion, readRevision } from "../version.ts";
import { InstanceRecords } from "../process/records.ts";
import { ControlPart } from "./control-part.ts";
import { DaemonLocks } from "./daemon-locks.ts";
import type { Entries } from "./entries.ts";
import { Epochs } from "./epochs.ts";
import { ExitRecords } from "./exit-records.ts";
import { checkFolders, makeFolders, removeEmptyState } from "./folders.ts";
import { refuseContainerdFolders } from "./foreign-data.ts";
import type { HolderLog } from "./holder-log.ts";
import { HostSockets } from "./host-sockets.ts";
import { joinCgroup, setOomScore } from "./kernel-limits.ts";
import { Listeners } from "./listeners.ts";
import { OrphanReaper } from "./orphan-reaper.ts";
import { type LiveRouter, takeOverRouter } from "./live-router.ts";
import type { ListenerAddresses } from "./messages.ts";
import { PartRecords } from "./part-records.ts";
import { RouterPart } from "./router-part.ts";
import type { Signals } from "./signals.ts";
import { leftFiles } from "./state-files.ts";
import { childEnvironment, ServiceManager, takeInheritedListeners } from "./systemd.ts";

export interface HolderOptions {
  readonly config: Config;
  /** The config as it is handed to control. */
  readonly serializedConfig: unknown;
  /** The daemon's environment; TMPDIR is set in it where the config has `temp`. */
  readonly env: NodeJS.ProcessEnv;
  readonly entries: Entries;
  readonly log: HolderLog;
  /** When the boot began, milliseconds since 1970. */
  readonly bootStartedAtMs: number;
}

/**
 * Opens everything the daemon holds, in the order of design.md section 3, and gives the holder that keeps it. Throws
 * StartFailure, with all that was opened given back.
 */
export async function openHolder(options: HolderOptions): Promise<Holder> {
  const { config, log, env } = options;
  keepDescriptorsFromChildren();
  checkFolders(config);
  refuseContainerdFolders(config);
  makeFolders(config, env);
  using stack = new DisposableStack();
  stack.use(DaemonLocks.acquire(config, new Date()));
  log.info("starting bulkhead", { version: hostVersion, revision: readRevision() });
  setOomScore(config.oomScore, log);
  joinCgroup(config.cgroupPath);
  const inherited = takeInheritedListeners(env, process.pid);
  const records = new PartRecords(config.state, log);
  const live = await takeOverRouter(config.state, records.left.router, addressesOf(config), log);
  const listeners = stack.use(
    live === undefined
      ? Listeners.open(config, inherited, (pid) => new InstanceRecords(config.state).hasProcess(pid))
      : Listeners.adopt(config, inherited, live),
  );
  log.debug("listening", { address: config.grpc.address, ttrpc: config.ttrpc.address });
  const hostSockets = stack.use(new HostSockets());
  const manager = stack.use(new ServiceManager(env, log));
  return new Holder(options, { records, live, listeners, hostSockets, manager, stack: stack.move() });
}

function addressesOf({ grpc, ttrpc }: Config): ListenerAddresses {
  return { main: grpc.address, ttrpc: ttrpc.address };
}

interface Held {
  readonly records: PartRecords;
  /** The router of an earlier holder. */
  readonly live: LiveRouter | undefined;
  readonly listeners: Listeners;
  readonly hostSockets: HostSockets;
  readonly manager: ServiceManager;
  /** Gives all of it back. */
  readonly stack: DisposableStack;
}

/**
 * The outermost process: keeps router and control up until a stop. Owns: both processes, and all that `openHolder`
 * opened.
 */
export class Holder {
  readonly #options: HolderOptions;
  readonly #held: Held;
  readonly #router: RouterPart;
  readonly #control: ControlPart;
  readonly #reaper: OrphanReaper;
  readonly #records: PartRecords;
  readonly #ended = Promise.withResolvers<number>();
  /** Fulfilled when a router has been ready. */
  readonly #routerTold = Promise.withResolvers<void>();
  #stopRequests = 0;
  #settled = false;

  constructor(options: HolderOptions, held: Held) {
    this.#options = options;
    this.#held = held;
    const { config, log, entries, env, serializedConfig, bootStartedAtMs } = options;
    const { listeners, hostSockets } = held;
    const { state } = config;
    this.#records = held.records;
    const epochs = new Epochs(state, log);
    const host = { state, environment: childEnvironment(env), epochs, records: this.#records, log };
    this.#reaper = held.stack.use(new OrphanReaper(new ExitRecords(state), (pid) => this.#isOwn(pid), log));
    this.#router = new RouterPart({
      host,
      command: entries.router,
      listeners,
      addresses: addressesOf(config),
      hostSockets,
      onReady: (pid) => this.#routerReady(pid),
      onEnded: () => this.#reaper.sweep(),
    });
    this.#control = new ControlPart({
      host,
      command: entries.control,
      serializedConfig,
      bootStartedAtMs,
      ttrpcListener: listeners.ttrpc,
      hostSockets,
      events: {
        ready: () => this.#ready(),
        newHostListener: (listener) => this.#router.announce(listener),
        routerPid: () => this.#router.readyPid,
        gaveUp: () => this.#requestStop("control gave up"),
        ended: () => this.#reaper.sweep(),
      },
    });
  }

  /** Runs until a signal, or control, ends it; then everything is given back. Resolves with the exit code. */
  async run(signals: Signals): Promise<number> {
    signals.attach({ stop: (signal) => this.#requestStop(signal), dump: () => this.#dump() });
    const { live } = this.#held;
    if (live === undefined) this.#router.start();
    else this.#router.adopt(live);
    // Two controls at once would tread on each other's files. An adopted router first tells what it listens on.
    await Promise.all([this.#records.awaitLeftControl(), live === undefined ? undefined : this.#routerTold.promise]);
    this.#control.start();
    this.#reaper.sweep();
    return this.#ended.promise;
  }

  #routerReady(pid: number): void {
    this.#routerTold.resolve();
    this.#control.send({ type: "router", pid });
  }

  #isOwn(pid: number): boolean {
    return pid === this.#router.pid || pid === this.#control.pid;
  }

  #ready(): void {
    if (this.#stopRequests > 0) return;
    this.#held.manager.notify("READY=1");
    if (this.#settled) return;
    this.#settled = true;
    settleAfterStart({ keepsSmall: true });
  }

  #dump(): void {
    const { log } = this.#options;
    log.info("state of holder", { pid: process.pid, router: this.#router.pid, control: this.#control.pid });
    this.#control.send({ type: "dump" });
  }

  /** The first request stops in order, the second takes the graces away, the third waits for nothing. */
  #requestStop(reason: string): void {
    this.#stopRequests += 1;
    this.#options.log.debug("received stop request", { reason, requests: this.#stopRequests });
    if (this.#stopRequests === 1) this.#stop(reason).then(this.#ended.resolve, this.#ended.reject);
    else if (this.#stopRequests === 2) this.#control.hasten(reason);
    else this.#control.kill();
  }

  async #stop(reason: string): Promise<number> {
    this.#held.manager.notify("STOPPING=1");
    const exitCode = await this.#control.stop(reason);
    // Control stops its packages; where it could not, they would be left behind.
    if (exitCode === undefined) await this.#endInstances();
    await this.#router.stop();
    this.#reaper.sweep();
    const { state } = this.#options.config;
    for (const name of leftFiles) rmSync(join(state, name), { force: true });
    this.#held.stack.dispose();
    removeEmptyState(state);
    return exitCode ?? 1;
  }

  async #endInstances(): Promise<void> {
    const { endRecordedInstances } = await import("./recorded-instances.ts");
    await endRecordedInstances(this.#options.config.state, this.#options.log);
  }
}
