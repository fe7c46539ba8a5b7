import { Socket } from "node:net";
import { closeSync } from "node:fs";
import { receiveDescriptor, socketpair } from "#linux";
import { DescriptorSender } from "./descriptor-sender.ts";
import { routerEnvironment } from "./entries.ts";
import type { HeartbeatLimits } from "./heartbeat.ts";
import type { HostListener, HostSockets } from "./host-sockets.ts";
import type { Listeners } from "./listeners.ts";
import type { LiveRouter } from "./live-router.ts";
import type { HolderToRouter, ListenerAddresses, RouterToHolder } from "./messages.ts";
import { Part } from "./part.ts";
import type { PartHost } from "./part-host.ts";

/** A router that was stopped is found within a second, one that hangs in four: all calls go through it. */
const heartbeat: HeartbeatLimits = { intervalMs: 1000, misses: 3, busyMisses: 10, startLimitMs: 30_000, lookMs: 400 };
/** What open calls are given at a stop, when every package has ended already; then SIGKILL after as much again. */
const drainMs = 1000;

export interface RouterOptions {
  readonly host: PartHost;
  /** Words for node. */
  readonly command: readonly string[];
  readonly listeners: Listeners;
  readonly addresses: ListenerAddresses;
  readonly hostSockets: HostSockets;
  /** Called for each new router that accepts. */
  readonly onReady: (pid: number) => void;
  /** Called when one has ended and was reaped. */
  readonly onEnded: () => void;
}

/** The router process, kept up, with every listener in its hands. Owns: the process and the way descriptors take. */
export class RouterPart {
  readonly #part: Part<RouterToHolder, HolderToRouter>;
  readonly #options: RouterOptions;
  #descriptors: DescriptorSender | undefined;
  /** Descriptor that an adopted router's listeners come from. */
  #source = -1;
  /** The child's end, until it has been started. */
  #childEnd = -1;

  constructor(options: RouterOptions) {
    this.#options = options;
    const { host, command } = options;
    this.#part = new Part<RouterToHolder, HolderToRouter>(
      { name: "router", command, environment: { ...host.environment, ...routerEnvironment }, heartbeat },
      {
        starting: () => this.#starting(),
        started: () => this.#started(),
        ready: (pid) => options.onReady(pid),
        message: (message) => this.#receive(message),
        ended: () => this.#ended(),
      },
      host.log,
    );
  }

  get pid(): number | undefined {
    return this.#part.pid;
  }

  get readyPid(): number | undefined {
    return this.#part.isReady ? this.#part.pid : undefined;
  }

  start(): void {
    this.#part.start();
  }

  /** Goes on with the router of an earlier holder; ready once it has handed over every package's listener. */
  adopt({ pid, pidfd, channel, descriptors }: LiveRouter): void {
    this.#source = descriptors;
    this.#descriptors = new DescriptorSender(descriptors);
    this.#options.host.records.write("router", pid);
    this.#part.adopt({ pid, pidfd, channel: new Socket({ fd: channel, readable: true, writable: true }) });
  }

  /** Hands a new listener to the running router; later ones get it at their start. */
  announce({ package: name, path, fd }: HostListener): void {
    this.#descriptors?.send(fd, () => this.#part.send({ type: "host-listener", package: name, path }));
  }

  /** Ends it for good, first by asking. */
  async stop(): Promise<void> {
    this.#part.send({ type: "stop", timeoutMs: drainMs });
    const timer = setTimeout(() => this.#part.kill(), 2 * drainMs);
    await this.#part.stop();
    clearTimeout(timer);
  }

  #starting() {
    this.#descriptors?.[Symbol.dispose]();
    this.#closeChildEnd();
    const [ours, childEnd] = socketpair("seqpacket");
    this.#descriptors = new DescriptorSender(ours);
    this.#childEnd = childEnd;
    const { host, listeners } = this.#options;
    const facts = { epoch: host.epochs.current, state: host.state, holderPid: process.pid };
    return { facts, descriptors: [childEnd, listeners.main, listeners.ttrpc] };
  }

  #started(): void {
    this.#closeChildEnd();
    const { host, hostSockets, addresses } = this.#options;
    host.records.write("router", this.#part.pid);
    this.#part.send({ type: "start", epoch: host.epochs.current, state: host.state, addresses });
    for (const listener of hostSockets.all()) this.announce(listener);
  }

  #closeChildEnd(): void {
    if (this.#childEnd !== -1) closeSync(this.#childEnd);
    this.#childEnd = -1;
  }

  #receive(message: RouterToHolder): void {
    if (message.type !== "host-listener") return;
    const { package: name, path } = message;
    try {
      this.#options.hostSockets.adopt({ package: name, path, fd: receiveDescriptor(this.#source) });
    } catch (error) {
      this.#options.host.log.error("cannot take over a host socket, replacing the router", {
        path,
        error: String(error),
      });
      this.#part.kill();
    }
  }

  #ended(): void {
    this.#descriptors?.[Symbol.dispose]();
    this.#descriptors = undefined;
    this.#options.onEnded();
  }
}
