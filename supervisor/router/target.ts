import type { ConnectionContext } from "./connection-context.ts";
import { Generation, type GenerationOwner } from "./generation.ts";
import { ParkingLot, type ParkedCall, type ParkingBounds } from "./parking.ts";
import type { Refusal } from "./refusal.ts";
import type { PackageRow } from "./route-table.ts";
import type { Stream } from "./stream.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";

/** A call that is to reach a package. */
export interface TargetCall extends ParkedCall {
  /** Opens its stream on `connection`, which has capacity. */
  forward(connection: UpstreamConnection): void;
  refuse(refusal: Refusal): void;
}

/** What a target reports. */
export interface TargetOwner {
  onLost(packageName: string, generation: number, reason: string): void;
  /** A connection breaks under these streams. */
  onBreaking(packageName: string, generation: number, streams: readonly Stream[]): void;
}

/**
 * One package as the router sees it: its row, the way to its generation, and the calls that wait for it.
 * Owns: generations and parked calls.
 */
export class Target implements GenerationOwner {
  readonly name: string;
  row: PackageRow;
  readonly parked: ParkingLot;
  readonly #context: ConnectionContext;
  readonly #owner: TargetOwner;
  #current: Generation | undefined;
  readonly #old = new Set<Generation>();

  constructor(name: string, row: PackageRow, context: ConnectionContext, owner: TargetOwner) {
    this.name = name;
    this.row = row;
    this.#context = context;
    this.#owner = owner;
    this.parked = new ParkingLot(context.clock);
    this.#point();
  }

  /** Takes a new row: parked calls go on, wait on, or are refused. */
  update(row: PackageRow): void {
    this.row = row;
    this.#point();
    this.#current?.wake();
    this.#settle();
  }

  /** The package is in no table any more. */
  remove(): void {
    this.update({ ...this.row, state: "closed", reason: "it was removed", lifecycle: "stopped", socket: undefined });
  }

  /** Hands `call` over, parks it, or refuses it. */
  submit(call: TargetCall): void {
    if (this.row.state === "closed") return call.refuse(this.#refusal("PACKAGE_DOWN"));
    const connection = this.parked.size === 0 ? this.#acquire() : undefined;
    if (connection !== undefined) return call.forward(connection);
    if (this.#down && this.row.parking.policy === "refuse") return call.refuse(this.#refusal("PACKAGE_DOWN"));
    const over = this.parked.add(call, this.bounds);
    if (over !== undefined) call.refuse(this.#fullRefusal(over));
    else if (this.row.state === "open") this.#release();
  }

  /** How much may wait now: as the policy says while the package is down, else for a connection. */
  get bounds(): ParkingBounds {
    const { parking } = this.row;
    return this.#down ? parking : { ...parking, calls: this.#context.limits.waitingCalls };
  }

  /** Why a parked call is given up. */
  overdueRefusal(): Refusal {
    return this.#refusal("PARKING_TIME", `a call to package ${this.name} waited ${this.row.parking.timeMs} ms`);
  }

  /** Why a call whose request grew over the bound is given up. */
  fullRefusal(): Refusal {
    return this.#fullRefusal("bytes");
  }

  /** Why a call that was handed over has failed; `reason` says how its connection ended. */
  lostRefusal(reason: string): Refusal {
    return this.#refusal("CONNECTION_LOST", `package ${this.name} went away during the call (${reason})`, true);
  }

  /** Why a call is cut at a drain. */
  drainRefusal(): Refusal {
    const message = `package ${this.name} is draining and this call would not end by itself; ask again`;
    return { ...this.#refusal("DRAINING", undefined, true), message };
  }

  /** Streams of that generation's open calls. */
  streamsOf(generation: number): Stream[] {
    return [...this.#generations()]
      .filter((known) => known.number === generation)
      .flatMap((known) => [...known.streams()]);
  }

  onCapacity(generation: Generation): void {
    if (generation === this.#current) this.#release();
    else if (generation.openCalls === 0) this.#old.delete(generation);
  }

  onBreaking(generation: Generation, streams: readonly Stream[]): void {
    this.#owner.onBreaking(this.name, generation.number, streams);
  }

  onLost(generation: Generation, reason: string): void {
    this.#owner.onLost(this.name, generation.number, reason);
    if (generation !== this.#current) return;
    if (this.#down && this.row.parking.policy === "refuse") this.#refuseAll();
    else this.#release();
  }

  /** Ends the connections to one generation; its calls are lost. */
  cut(generation: number, reason: string): void {
    for (const known of this.#generations()) if (known.number === generation) known.destroy(reason);
  }

  /** Ends all connections. */
  destroy(reason: string): void {
    for (const generation of this.#generations()) generation.destroy(reason);
  }

  *#generations(): Iterable<Generation> {
    if (this.#current !== undefined) yield this.#current;
    yield* this.#old;
  }

  /** Nothing can be handed over: by the row, or because connecting fails though the row says open. */
  get #down(): boolean {
    return this.row.state !== "open" || (this.#current?.failures ?? 1) > 0;
  }

  #point(): void {
    const { generation, socket } = this.row;
    const current = this.#current;
    if (current !== undefined && current.number === generation && current.socketPath === socket) return;
    if (current !== undefined && (socket !== undefined || current.number !== generation)) {
      this.#current = undefined;
      this.#old.add(current);
      current.retire();
      if (current.openCalls === 0) this.#old.delete(current);
    }
    if (socket !== undefined) this.#current = new Generation(generation, socket, this.#context, this);
  }

  #acquire(): UpstreamConnection | undefined {
    return this.row.state === "open" ? this.#current?.acquire() : undefined;
  }

  #settle(): void {
    if (this.row.state === "closed") this.#refuseAll();
    else this.#release();
  }

  #refuseAll(): void {
    for (const call of [...this.parked] as TargetCall[]) {
      this.parked.remove(call);
      call.refuse(this.#refusal("PACKAGE_DOWN"));
    }
  }

  #release(): void {
    while (this.parked.size > 0) {
      const connection = this.#acquire();
      const call = this.parked.first as TargetCall | undefined;
      if (connection === undefined || call === undefined) return;
      this.parked.remove(call);
      call.forward(connection);
    }
  }

  #fullRefusal(bound: "calls" | "bytes"): Refusal {
    const { calls, bytes } = this.bounds;
    const limit = bound === "calls" ? `${calls} calls` : `${bytes} bytes`;
    return this.#refusal("PARKING_FULL", `package ${this.name} is away and ${limit} wait for it already`);
  }

  #refusal(reason: string, message?: string, handedOver = false): Refusal {
    const { lifecycle, state } = this.row;
    const why = this.row.reason === "" ? "" : `: ${this.row.reason}`;
    return {
      kind: "unavailable",
      message: `${message ?? `package ${this.name} is down`}, it is ${lifecycle || state}${why}`,
      info: { reason, metadata: { package: this.name, state: lifecycle || state, handed_over: String(handedOver) } },
      retryAfterMs: retryAfterMs,
    };
  }
}

/** When a refused caller may ask again. */
const retryAfterMs = 1000;
