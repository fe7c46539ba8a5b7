import { closeSync } from "node:fs";
import { Socket } from "node:net";
import type { DescriptorSender } from "../holder/descriptor-sender.ts";
import {
  channelFd,
  descriptorFd,
  mainListenerFd,
  ttrpcListenerFd,
  type HolderToRouter,
  type RouterToHolder,
} from "../holder/messages.ts";
import { JsonLines } from "./json-lines.ts";
import { loadLinux } from "./load-linux.ts";

type HolderLines = JsonLines<HolderToRouter, RouterToHolder>;
type HostListeners = ReadonlyMap<string, { readonly path: string; readonly fd: number }>;

/**
 * The router's line to its holder: first the one it inherited, later one of the next holder, who takes the router over
 * when the first has died. Between the two there is none. Owns: channel and descriptor socket of the present holder.
 */
export class HolderLine {
  readonly #onMessage: (message: HolderToRouter) => void;
  #lines: HolderLines;
  #descriptors = descriptorFd;
  #sender: DescriptorSender | undefined;

  /** `onLost` is called whenever a holder has gone. */
  constructor(onMessage: (message: HolderToRouter) => void, onLost: () => void) {
    this.#onMessage = onMessage;
    this.#lines = this.#open(channelFd, onLost);
  }

  send(message: RouterToHolder): void {
    this.#lines.send(message);
  }

  /** A listener that the holder announced; the caller owns it. */
  receiveListener(): number {
    return loadLinux().receiveDescriptor(this.#descriptors);
  }

  /**
   * Gives the holder at the other end of `socket` a channel, the two listeners and those of the packages, and obeys it
   * from now on. Rejects with LinuxError when the kernel takes no descriptor now.
   */
  async handOver(socket: Socket, listeners: HostListeners): Promise<void> {
    const sending = await import("../holder/descriptor-sender.ts"); // not before it is needed: starts are short
    const { sendDescriptor, socketpair } = loadLinux();
    const fd = fdOf(socket);
    const [channel, theirChannel] = socketpair("stream");
    const [descriptors, theirDescriptors] = socketpair("seqpacket");
    for (const each of [theirChannel, theirDescriptors, mainListenerFd, ttrpcListenerFd]) sendDescriptor(fd, each);
    closeSync(theirChannel);
    closeSync(theirDescriptors);
    if (this.#sender === undefined) closeSync(this.#descriptors);
    this.#sender?.[Symbol.dispose]();
    const lines = this.#open(channel, () => {});
    this.#lines = lines;
    this.#descriptors = descriptors;
    const sender = new sending.DescriptorSender(descriptors);
    this.#sender = sender;
    for (const [name, { path, fd: listener }] of listeners) {
      sender.send(listener, () => lines.send({ type: "host-listener", package: name, path }));
    }
    sender.whenSent(() => lines.send({ type: "ready" }));
  }

  #open(fd: number, onLost: () => void): HolderLines {
    const channel = new Socket({ fd, readable: true, writable: true });
    channel.on("error", () => channel.destroy());
    channel.on("close", onLost);
    return new JsonLines(channel, this.#onMessage);
  }
}

function fdOf(socket: Socket): number {
  const handle = (socket as Socket & { readonly _handle?: { readonly fd?: number } | null })._handle;
  return handle?.fd ?? -1;
}
