import { Socket } from "node:net";
import { HostError } from "#proto/wire/errors.ts";
import { channelFd, type ControlToHolder, type HolderToControl } from "../holder/messages.ts";
import { LineChannel } from "../holder/line-channel.ts";

export type StartMessage = Extract<HolderToControl, { type: "start" }>;

/** What the holder may ask of control at any time. */
export interface HolderRequests {
  /** Asked again with `hasten` when patience is over. */
  stop(reason: string, hasten: boolean): void;
  dump(): void;
  newRouter(pid: number): void;
}

/** Control's line to the holder, inherited as a descriptor. Owns: the channel and the binds that wait. */
export class HolderLink {
  /** Fulfilled when the holder has gone: control then ends. */
  readonly closed: Promise<void>;
  readonly #channel: LineChannel<HolderToControl, ControlToHolder>;
  readonly #started = Promise.withResolvers<StartMessage>();
  readonly #binds = new Map<string, (error: string | undefined) => void>();
  #requests: HolderRequests | undefined;
  #missed: HolderToControl[] = [];

  constructor() {
    const socket = new Socket({ fd: channelFd, readable: true, writable: true });
    const closed = Promise.withResolvers<void>();
    this.closed = closed.promise;
    this.#channel = new LineChannel(socket, {
      onMessage: (message) => this.#receive(message),
      onClosed: () => closed.resolve(),
    });
  }

  /** The first message: epoch and config. */
  started(): Promise<StartMessage> {
    return this.#started.promise;
  }

  /** Takes requests from now on; those that came earlier are handed over at once. */
  listen(requests: HolderRequests): void {
    this.#requests = requests;
    for (const message of this.#missed) this.#receive(message);
    this.#missed = [];
  }

  /**
   * Has the holder bind a package's host socket, for `owner` alone (undefined: the daemon's user), and hand it to every
   * router. Throws unavailable.
   */
  async bindHostSocket(
    packageName: string,
    path: string,
    owner?: { readonly uid: number; readonly gid: number },
  ): Promise<void> {
    const error = await new Promise<string | undefined>((resolve) => {
      this.#binds.set(packageName, resolve);
      this.#channel.send({ type: "bind-host-socket", package: packageName, path, ...owner });
    });
    this.#binds.delete(packageName);
    if (error !== undefined) throw new HostError("unavailable", `bind host socket ${path}: ${error}`);
  }

  /** Booted; an ordered stop takes at most `stopTimeoutMs`. */
  ready(stopTimeoutMs: number): void {
    this.#channel.send({ type: "ready", stopTimeoutMs });
  }

  stopped(exitCode: number): void {
    this.#channel.send({ type: "stopped", exitCode });
  }

  #receive(message: HolderToControl): void {
    switch (message.type) {
      case "start":
        return this.#started.resolve(message);
      case "ping":
        return this.#channel.send({ type: "pong", id: message.id });
      case "host-socket":
        return this.#binds.get(message.package)?.(message.error);
      case "stop":
      case "dump":
      case "router":
        if (this.#requests === undefined) this.#missed.push(message);
        else if (message.type === "stop") this.#requests.stop(message.reason, message.hasten === true);
        else if (message.type === "dump") this.#requests.dump();
        else this.#requests.newRouter(message.pid);
    }
  }
}
