import type { Chance } from "../machine/chance.ts";
import { Life, type Timeline } from "../machine/timeline.ts";
import { Http2Peer, type PeerEvents } from "./http2-peer.ts";
import type { SimRouter } from "./sim-router.ts";

export type Method = "Do" | "Get" | "Watch";

/** A call of a client, and what became of it. */
export interface SimCall {
  readonly id: string;
  readonly package: string;
  readonly method: Method;
  readonly startedMs: number;
  readonly timeoutMs: number | undefined;
  /** Package processes that began with it. */
  executions: number;
  /** How it ended; undefined: it has not. */
  outcome: string | undefined;
}

/** Hears of each end of a call, of every one of them. */
export type OnAnswer = (call: SimCall, outcome: string) => void;

/** A client with one connection to the main socket, made again when it breaks. */
export class SimClient implements PeerEvents {
  readonly #life: Life;
  readonly #router: () => SimRouter | undefined;
  readonly #onAnswer: OnAnswer;
  readonly #chance: Chance;
  readonly #calls = new Map<number, SimCall>();
  /** Streams that were given up: an answer may be on its way. */
  readonly #givenUp = new Set<number>();
  #peer: Http2Peer | undefined;
  #nextId = 1;

  constructor(timeline: Timeline, chance: Chance, router: () => SimRouter | undefined, onAnswer: OnAnswer) {
    this.#life = new Life(timeline);
    this.#chance = chance;
    this.#router = router;
    this.#onAnswer = onAnswer;
  }

  /** Calls that have not ended. */
  get open(): readonly SimCall[] {
    return [...this.#calls.values()];
  }

  /** Sends a call; false: nobody accepts, the connection would wait. */
  call(call: SimCall): boolean {
    const peer = this.#connected();
    if (peer === undefined) return false;
    const streamId = this.#nextId;
    this.#nextId += 2;
    this.#calls.set(streamId, call);
    const hasBody = this.#chance.happens(0.3);
    const headers: [string, string][] = [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", `/svc.${call.package}/${call.method}`],
      [":authority", "localhost"],
      ["te", "trailers"],
      ["content-type", "application/grpc"],
      ["x-call", call.id],
    ];
    if (call.timeoutMs !== undefined) headers.push(["grpc-timeout", `${call.timeoutMs}m`]);
    peer.headers(streamId, headers, !hasBody);
    if (!hasBody) return true;
    const body = Buffer.alloc(this.#chance.between(5, 60));
    if (this.#chance.happens(0.5)) peer.data(streamId, body, true);
    else
      this.#life.setTimer(
        () => {
          if (this.#peer === peer && this.#calls.has(streamId)) peer.data(streamId, body, true);
        },
        this.#chance.between(1, 300),
      );
    return true;
  }

  /** Gives up a call. */
  cancel(id: string): void {
    for (const [streamId, call] of this.#calls) {
      if (call.id !== id) continue;
      this.#peer?.reset(streamId);
      this.#calls.delete(streamId);
      this.#givenUp.add(streamId);
      this.#onAnswer(call, "cancelled");
    }
  }

  onHeaders(streamId: number, headers: ReadonlyMap<string, string>, endStream: boolean): void {
    if (endStream)
      this.#end(streamId, `status ${headers.get("grpc-status") ?? "?"} ${headers.get("grpc-message") ?? ""}`);
  }

  onData(streamId: number, endStream: boolean): void {
    if (endStream) this.#end(streamId, "ended without trailers");
  }

  onReset(streamId: number, code: number): void {
    if (this.#calls.has(streamId)) this.#end(streamId, `reset ${code}`);
  }

  onClosed(): void {
    this.#peer = undefined;
    for (const [streamId] of this.#calls) this.#end(streamId, "connection lost");
  }

  #end(streamId: number, outcome: string): void {
    const call = this.#calls.get(streamId);
    this.#calls.delete(streamId);
    if (call === undefined && this.#givenUp.has(streamId)) return;
    if (call === undefined) throw new Error(`stream ${streamId} was answered twice: ${outcome}`);
    this.#onAnswer(call, outcome);
  }

  #connected(): Http2Peer | undefined {
    if (this.#peer !== undefined && !this.#peer.ended) return this.#peer;
    const router = this.#router();
    if (router === undefined || router.life.over || !router.accepts) return undefined;
    this.#nextId = 1;
    this.#givenUp.clear();
    this.#peer = new Http2Peer(router.accept(this.#life), "client", 0, this);
    return this.#peer;
  }
}
