import { create } from "@bufbuild/protobuf";
import {
  DescribeResponseSchema,
  FailureSchema,
  InitResponseSchema,
  OfferSchema,
  ResultSchema,
  SkipSchema,
  type DescribeResponse,
  type InitRequest,
  type InitResponse,
  type Result,
} from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { codeOf } from "#proto/wire/status.ts";
import type { InstanceCalls } from "../../../supervisor/lifecycle/instance-client.ts";
import type { Machine } from "./machine.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Life } from "./timeline.ts";

/** A call takes so long at most on its way, milliseconds. */
const longestWayMs = 4;
/** How often a caller that waits for a server looks again. */
const againMs = 15;

/** The host's own calls to whatever listens on a socket of the simulated machine. */
export class SimCalls implements InstanceCalls {
  onLost: () => void = () => {};
  readonly #machine: Machine;
  readonly #life: Life;
  readonly #socket: string;
  #connectedTo: SimProcess | undefined;

  constructor(machine: Machine, life: Life, socket: string) {
    this.#machine = machine;
    this.#life = life;
    this.#socket = socket;
  }

  async untilServing(signal: AbortSignal): Promise<void> {
    for (;;) {
      const server = this.#connect();
      if (server !== undefined && (await this.#answered(server, signal)) && server.serving) return;
      signal.throwIfAborted();
      await this.#pause(againMs, signal);
    }
  }

  async health(signal: AbortSignal): Promise<"serving" | "not-serving" | "unreachable" | "no-answer"> {
    const server = this.#connect();
    if (server === undefined) return "unreachable";
    if (!(await this.#answered(server, signal).catch(() => false))) return "no-answer";
    return server.serving ? "serving" : "not-serving";
  }

  async init(request: InitRequest, signal: AbortSignal): Promise<InitResponse> {
    const server = this.#connect();
    if (server === undefined) throw unavailable(this.#socket);
    const { behaviour } = server;
    this.#machine.initialize(server, request.nonce);
    await this.#pause(behaviour.initMs, signal);
    if (behaviour.init === "silent" || !(await this.#answered(server, signal))) {
      await this.#untilOver(server, signal);
      throw unavailable(this.#socket);
    }
    server.initialized = true;
    return responseOf(request, behaviour.init);
  }

  async describe(signal: AbortSignal): Promise<DescribeResponse> {
    const server = this.#connect();
    if (server === undefined) throw unavailable(this.#socket);
    if (!(await this.#answered(server, signal))) throw unavailable(this.#socket);
    const { nonce, initialized } = server;
    return create(DescribeResponseSchema, { nonce, initialized, init: create(InitResponseSchema) });
  }

  async drain(_reason: "stop" | "restart", signal: AbortSignal, deadlineMs: number): Promise<void> {
    const server = this.#connect();
    if (server === undefined) return;
    const answered = this.#answered(server, signal).catch(() => false);
    const late = this.#life.pause(deadlineMs - this.#life.now());
    await Promise.race([answered, late]);
  }

  metrics(): Promise<string> {
    return Promise.resolve("");
  }

  channel(): Promise<never> {
    return Promise.reject(unavailable(this.#socket));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.onLost = () => {};
    return Promise.resolve();
  }

  /** Who listens; the connection is watched. */
  #connect(): SimProcess | undefined {
    const server = this.#machine.sockets.get(this.#socket);
    if (server !== undefined && this.#connectedTo !== server) {
      this.#connectedTo = server;
      server.onEnd(() => this.#life.setTimer(() => this.onLost(), this.#way()));
    }
    return server;
  }

  /** True: it answered. False: it ended. Rejects when `signal` aborts, which is all that ends the wait for a hung one. */
  async #answered(server: SimProcess, signal: AbortSignal): Promise<boolean> {
    await this.#pause(this.#way(), signal);
    if (server.answers) {
      await this.#pause(this.#way(), signal);
      return server.alive;
    }
    await this.#untilOver(server, signal);
    return false;
  }

  #untilOver(server: SimProcess, signal: AbortSignal): Promise<void> {
    return this.#abortable(signal, (resolve) => server.onEnd(() => void this.#life.setTimer(resolve, this.#way())));
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return this.#abortable(signal, (resolve) => {
      const timer = this.#life.setTimer(resolve, ms);
      return () => this.#life.clearTimer(timer);
    });
  }

  #abortable(signal: AbortSignal, begin: (resolve: () => void) => () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const abort = (): void => {
        stop();
        reject(signal.reason as Error);
      };
      const stop = begin(() => {
        signal.removeEventListener("abort", abort);
        resolve();
      });
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  #way(): number {
    return this.#machine.chance.next() * longestWayMs;
  }
}

function unavailable(socket: string): HostError {
  return new HostError("unavailable", `${socket}: the connection broke`);
}

function responseOf(request: InitRequest, init: "ok" | "skip" | "retry" | "fail"): InitResponse {
  const results = request.registrations.map(({ type, id }) =>
    create(ResultSchema, { type, id, outcome: outcomeOf(init) }),
  );
  return create(InitResponseSchema, { results });
}

function outcomeOf(init: "ok" | "skip" | "retry" | "fail"): Result["outcome"] {
  if (init === "ok") return { case: "ok", value: create(OfferSchema) };
  if (init === "skip") return { case: "skip", value: create(SkipSchema, { reason: "not here" }) };
  const code = codeOf(init === "retry" ? "unavailable" : "internal");
  return { case: "failure", value: create(FailureSchema, { code, message: "it failed" }) };
}
