import { HostError } from "#proto/wire/errors.ts";
import { connect, type Channel } from "#rpc";
import type { PackageView } from "../status.ts";
import { isServing } from "./health-states.ts";

/**
 * Control's own connections to packages' sockets, for what it asks of them on somebody's behalf (descriptors,
 * metrics, profiles): opened at the first question, one a generation.
 * Owns: the channels.
 */
export class PackageChannels implements Disposable {
  readonly #open = new Map<string, { readonly socket: string; readonly channel: Channel }>();

  /** The channel to the running instance. Throws unavailable when there is none. */
  to(view: PackageView): Channel {
    const known = this.#open.get(view.name);
    if (known !== undefined && known.socket === view.socket) return known.channel;
    if (view.socket === "" || !isServing(view.state)) {
      throw new HostError(
        "unavailable",
        `call package ${view.name}: it is ${view.state}${view.reason && `: ${view.reason}`}`,
      );
    }
    known?.channel[Symbol.dispose]();
    const channel = connect(view.socket);
    this.#open.set(view.name, { socket: view.socket, channel });
    return channel;
  }

  [Symbol.dispose](): void {
    for (const { channel } of this.#open.values()) channel[Symbol.dispose]();
    this.#open.clear();
  }
}
