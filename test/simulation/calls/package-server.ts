import type { Transport } from "../../../supervisor/router/transport.ts";
import type { SimProcess } from "../machine/sim-process.ts";
import { Http2Peer, type PeerEvents } from "./http2-peer.ts";

/** A package's side of one of the router's connections: answers each call, unless its process does not. */
export class PackageServer implements PeerEvents {
  readonly #process: SimProcess;
  readonly #executed: (callId: string, process: SimProcess) => void;
  readonly #random: () => number;
  readonly #peer: Http2Peer;
  /** Paths of calls whose request has not ended. */
  readonly #open = new Map<number, ReadonlyMap<string, string>>();

  constructor(
    transport: Transport,
    process: SimProcess,
    streams: number,
    random: () => number,
    executed: (callId: string, process: SimProcess) => void,
  ) {
    this.#process = process;
    this.#executed = executed;
    this.#random = random;
    this.#peer = new Http2Peer(transport, "server", streams, this);
  }

  onHeaders(streamId: number, headers: ReadonlyMap<string, string>, endStream: boolean): void {
    if (endStream) this.#serve(streamId, headers);
    else this.#open.set(streamId, headers);
  }

  onData(streamId: number, endStream: boolean): void {
    const headers = this.#open.get(streamId);
    if (!endStream || headers === undefined) return;
    this.#open.delete(streamId);
    this.#serve(streamId, headers);
  }

  onReset(streamId: number): void {
    this.#open.delete(streamId);
  }

  onClosed(): void {}

  #serve(streamId: number, headers: ReadonlyMap<string, string>): void {
    if (!this.#process.answers) return;
    this.#executed(headers.get("x-call") ?? "", this.#process);
    if (headers.get(":path")?.endsWith("/Watch") === true) return;
    const late = this.#random() * this.#process.behaviour.answerMs;
    this.#process.life.setTimer(() => {
      if (!this.#process.answers || this.#peer.ended) return;
      const start: [string, string][] = [
        [":status", "200"],
        ["content-type", "application/grpc"],
      ];
      if (this.#random() < 0.5) return this.#peer.headers(streamId, [...start, ["grpc-status", "0"]], true);
      this.#peer.headers(streamId, start, false);
      this.#peer.data(streamId, Buffer.alloc(5), false);
      this.#peer.headers(streamId, [["grpc-status", "0"]], true);
    }, late);
  }
}
