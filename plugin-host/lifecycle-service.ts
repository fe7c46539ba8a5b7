import { create } from "@bufbuild/protobuf";
import { implement, type Server, type Service } from "#rpc";
import {
  DescribeResponseSchema,
  Plugin,
  Verdict,
  type InitRequest,
  type ReconfigureRequest,
} from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { Health, HealthCheckResponse_ServingStatus } from "#proto/gen/grpc/health/v1/health_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import type { PluginModule } from "./define-plugin.ts";
import { initPackage, type InitOutcome, type PackageFacilities } from "./initialization.ts";
import type { PeerDirectory } from "./peers.ts";
import { takeProfile } from "./profile.ts";

/** What the host may ask of a native package: bulkhead.plugin.v1 and grpc.health.v1. */
export class LifecycleService {
  readonly #module: Promise<PluginModule>;
  readonly #shared: PackageFacilities;
  readonly #peers: PeerDirectory;
  readonly #server: Server;
  #request: InitRequest | undefined;
  #init: Promise<InitOutcome> | undefined;
  #outcome: InitOutcome | undefined;
  #drained = false;
  readonly #initialized = Promise.withResolvers<void>();

  constructor(server: Server, module: Promise<PluginModule>, peers: PeerDirectory, shared: PackageFacilities) {
    this.#server = server;
    this.#module = module;
    this.#peers = peers;
    this.#shared = shared;
  }

  /** Fulfilled when Init has run. */
  get initialized(): Promise<void> {
    return this.#initialized.promise;
  }

  /** The plugins' own services, once Init has run. */
  served(): readonly Service[] {
    return this.#outcome?.services ?? [];
  }

  /** The services to serve. */
  services(): Service[] {
    return [
      implement(Plugin, {
        init: async (request) => (await this.#initOnce(request)).response,
        describe: () => this.#describe(),
        drain: (_request, { signal }) => this.#drain(signal),
        reconfigure: (request) => this.#reconfigure(request),
        metrics: () => this.#metrics(),
        profile: (request, { signal }) => takeProfile(request, signal),
      }),
      implement(Health, {
        check: () => ({ status: this.#health() }),
        watch: async function* (this: LifecycleService, _request: unknown, { signal }: { signal: AbortSignal }) {
          yield { status: this.#health() };
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        }.bind(this),
      }),
    ];
  }

  /** Closes the plugins in reverse order; called once, after the drain. */
  async close(): Promise<void> {
    for (const { uri, offer } of this.#outcome?.open.toReversed() ?? []) {
      try {
        await offer.close?.();
      } catch (error) {
        this.#shared.log.error("plugin failed to close", { plugin: uri, error });
      }
    }
  }

  /** The host has drained this instance: what is still open has had its time. */
  get drained(): boolean {
    return this.#drained;
  }

  /** Ends endless calls, then waits for the open ones; gives how many are left when `signal` aborts. */
  async drainCalls(signal: AbortSignal, ownCalls: number): Promise<number> {
    await Promise.all(
      (this.#outcome?.open ?? []).map(async ({ offer }) => {
        await offer.drain?.();
      }),
    );
    return this.#server.drain(signal, ownCalls);
  }

  #initOnce(request: InitRequest): Promise<InitOutcome> {
    if (this.#init !== undefined) throw new HostError("failed-precondition", "Init was called before");
    this.#request = request;
    this.#peers.replace(request.peers);
    this.#init = this.#module
      .then((module) => initPackage(module, request, this.#shared))
      .then((outcome) => {
        for (const service of outcome.services) this.#server.add(service);
        this.#outcome = outcome;
        this.#initialized.resolve();
        return outcome;
      });
    return this.#init;
  }

  #describe() {
    return create(DescribeResponseSchema, {
      nonce: this.#request?.nonce ?? new Uint8Array(),
      generation: this.#request?.generation ?? 0n,
      initialized: this.#outcome !== undefined,
      ...(this.#outcome === undefined ? {} : { init: this.#outcome.response }),
    });
  }

  async #drain(signal: AbortSignal) {
    try {
      return { openCalls: await this.drainCalls(signal, 1) };
    } finally {
      this.#drained = true;
    }
  }

  async #reconfigure(request: ReconfigureRequest) {
    const open = this.#outcome?.open ?? [];
    const changes = request.registrations.map((registration) => ({
      config: JSON.parse(Buffer.from(registration.configJson).toString() || "{}") as Record<string, unknown>,
      apply: open.find(({ uri }) => uri === `${registration.type}.${registration.id}`)?.offer.reconfigure,
    }));
    if (changes.some(({ apply }) => apply === undefined)) return { verdict: Verdict.NEEDS_RESTART };
    try {
      for (const { config, apply } of changes) await apply?.(config, { dryRun: true });
    } catch (error) {
      this.#shared.log.warn("changed config rejected", { error });
      return { verdict: Verdict.REJECTED };
    }
    if (!request.dryRun) for (const { config, apply } of changes) await apply?.(config, { dryRun: false });
    return { verdict: Verdict.APPLIED };
  }

  async #metrics() {
    const texts = await Promise.all(
      (this.#outcome?.open ?? []).map(async ({ offer }) => (await offer.metrics?.()) ?? ""),
    );
    return { text: Buffer.from(texts.filter((text) => text !== "").join("\n")) };
  }

  #health(): HealthCheckResponse_ServingStatus {
    return this.#outcome === undefined
      ? HealthCheckResponse_ServingStatus.NOT_SERVING
      : HealthCheckResponse_ServingStatus.SERVING;
  }
}
