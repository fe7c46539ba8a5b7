import { HostError, isHostError } from "#proto/wire/errors.ts";
import type { DescribeResponse, InitRequest, InitResponse } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { DrainReason, Plugin } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { Health, HealthCheckResponse_ServingStatus } from "#proto/gen/grpc/health/v1/health_pb.ts";
import type { Channel } from "#rpc";
import { isLinuxError } from "#linux";

/** What a host may ask of an instance. */
export type InstanceCalls = Pick<InstanceClient, keyof InstanceClient>;

/**
 * The host's own calls to one instance. The gRPC engine is loaded at the first call, so that the first processes
 * start before it. Owns: the connection.
 */
export class InstanceClient implements AsyncDisposable {
  /** Called when a connection has ended that had been made. */
  onLost: () => void = () => {};
  readonly #socket: string;
  #channel: Promise<Channel> | undefined;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Waits until the socket answers and health does not say NOT_SERVING. Rejects when `signal` aborts. */
  async untilServing(signal: AbortSignal): Promise<void> {
    const { clientOf } = await import("#rpc");
    const health = clientOf(Health, await this.#connect());
    try {
      const { status } = await health.check({}, { signal, waitForReady: true });
      if (status !== HealthCheckResponse_ServingStatus.NOT_SERVING) return;
      for await (const change of health.watch({}, { signal })) {
        if (change.status !== HealthCheckResponse_ServingStatus.NOT_SERVING) return;
      }
    } catch (error) {
      if (isHostError(error, "unimplemented") || isHostError(error, "not-found")) return;
      throw error;
    }
    throw new HostError("unavailable", `${this.#socket}: health says NOT_SERVING`);
  }

  /**
   * How it is, as `grpc.health.v1` says; a server that has no health of that kind is as well as one that is serving.
   * unreachable: nobody listens there. no-answer: `signal` aborted first, or the connection broke. Never rejects.
   */
  async health(signal: AbortSignal): Promise<"serving" | "not-serving" | "unreachable" | "no-answer"> {
    try {
      const { clientOf } = await import("#rpc");
      const { status } = await clientOf(Health, await this.#connect()).check({}, { signal });
      return status === HealthCheckResponse_ServingStatus.NOT_SERVING ? "not-serving" : "serving";
    } catch (error) {
      if (isHostError(error, "unimplemented") || isHostError(error, "not-found")) return "serving";
      if (!isHostError(error, "unavailable")) return signal.aborted ? "no-answer" : "serving"; // an answer is an answer
      return isLinuxError(error.cause, "ECONNREFUSED", "ENOENT") ? "unreachable" : "no-answer";
    }
  }

  /** Hands over registrations, config and peers. Rejects with a HostError. */
  async init(request: InitRequest, signal: AbortSignal): Promise<InitResponse> {
    const { clientOf } = await import("#rpc");
    return clientOf(Plugin, await this.#connect()).init(request, { signal, waitForReady: true });
  }

  /** What it says of itself. Rejects with a HostError. */
  async describe(signal: AbortSignal): Promise<DescribeResponse> {
    const { clientOf } = await import("#rpc");
    return clientOf(Plugin, await this.#connect()).describe({}, { signal });
  }

  /** Resolves when the instance has no open calls, or at the deadline, or when it cannot say. */
  async drain(reason: "stop" | "restart", signal: AbortSignal, deadlineMs: number): Promise<void> {
    const { clientOf } = await import("#rpc");
    const wire = reason === "stop" ? DrainReason.STOP : DrainReason.RESTART;
    try {
      await clientOf(Plugin, await this.#connect()).drain({ reason: wire }, { signal, deadlineMs });
    } catch {
      // Not offered, too slow or gone: SIGTERM comes next in any case.
    }
  }

  /** Prometheus text; empty when it is not offered. Rejects when it takes too long. */
  async metrics(signal: AbortSignal): Promise<string> {
    const { clientOf } = await import("#rpc");
    try {
      const { text } = await clientOf(Plugin, await this.#connect()).metrics({}, { signal });
      return Buffer.from(text).toString();
    } catch (error) {
      if (isHostError(error, "unimplemented")) return "";
      throw error;
    }
  }

  /** The connection, for other calls of the host. */
  async channel(): Promise<Channel> {
    return this.#connect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    (await this.#channel)?.[Symbol.dispose]();
  }

  #connect(): Promise<Channel> {
    this.#channel ??= import("#rpc").then(({ connect }) => connect(this.#socket, { onLost: () => this.onLost() }));
    return this.#channel;
  }
}
