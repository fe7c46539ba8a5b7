import { create } from "@bufbuild/protobuf";
import { join } from "node:path";
import { RegistrationSchema, type Peer, type Registration } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import type { Json, JsonObject } from "../config/config.ts";
import { uriOf, type Manifest } from "../config/manifest.ts";
import type { LaunchHost } from "../process/launch.ts";
import { hostSocketOf, instancePaths } from "../process/launch.ts";
import type { HostDirectory } from "../services/host.ts";
import type { Fleet } from "./fleet.ts";
import type { PackageRunner } from "./package-runner.ts";
import { peersOf } from "./peer-views.ts";

export interface DirectoryFacts {
  readonly hostVersion: string;
  readonly hostUuid: () => Promise<string>;
  readonly launch: LaunchHost;
  /** A plugin's config with defaults and secrets; throws when it is wrong. */
  readonly configOf: (manifest: Manifest, uri: string) => JsonObject;
}

/** What each package is told of itself and of its peers: for Init, and for bulkhead.host.v1. */
export class PackageDirectory implements HostDirectory {
  readonly #facts: DirectoryFacts;
  readonly #waiting = new Set<() => void>();
  #fleet: Fleet | undefined;

  constructor(facts: DirectoryFacts) {
    this.#facts = facts;
  }

  /** The fleet is made with this directory at hand, so it comes second. */
  attach(fleet: Fleet): void {
    this.#fleet = fleet;
  }

  /** What Init hands over; also the text of the package's config file. */
  registrations(manifest: Manifest): { registrations: Registration[]; peers: Peer[]; configJson: string } {
    const { root, state } = this.#facts.launch;
    const configs: Record<string, Json> = {};
    const registrations = manifest.plugins.map((plugin) => {
      const uri = uriOf(plugin);
      const config = this.#facts.configOf(manifest, uri);
      configs[uri] = config;
      const configJson = Buffer.from(JSON.stringify(config));
      return create(RegistrationSchema, {
        type: plugin.type,
        id: plugin.id,
        root: join(root, uri),
        state: join(state, uri),
        configJson,
      });
    });
    return { registrations, peers: this.#peers(manifest), configJson: JSON.stringify(configs) };
  }

  async hello(packageName: string) {
    const runner = this.#runner(packageName);
    const { registrations, peers } = this.registrations(runner.manifest);
    const { hostVersion, hostUuid } = this.#facts;
    return {
      hostVersion,
      hostFeatures: [],
      hostUuid: await hostUuid(),
      package: packageName,
      generation: BigInt(runner.generation),
      registrations,
      peers,
    };
  }

  async *watchPeers(packageName: string, signal: AbortSignal) {
    const { manifest } = this.#runner(packageName);
    let last = "";
    while (!signal.aborted) {
      const changed = this.#nextChange(signal);
      const peers = this.#peers(manifest);
      const text = JSON.stringify(peers, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
      if (text !== last) yield { peers };
      last = text;
      await changed;
    }
  }

  report(packageName: string, report: { type: string; id: string; status: string; degraded: boolean }): void {
    const runner = this.#runner(packageName);
    if (!runner.manifest.plugins.some((plugin) => plugin.type === report.type && plugin.id === report.id)) {
      throw new HostError("not-found", `package ${packageName} has no plugin ${report.type}.${report.id}`);
    }
    if (report.degraded) runner.dispatch({ type: "degraded", reason: `${report.type}.${report.id}: ${report.status}` });
    else runner.dispatch({ type: "recovered" });
  }

  /** Some package has changed: whoever watches looks again. */
  wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #peers(manifest: Manifest): Peer[] {
    const fleet = this.#fleet;
    const plan = fleet?.plan(manifest.name);
    if (fleet === undefined || plan === undefined) return [];
    return peersOf(plan, fleet.runners, (provider) => this.#addressFor(manifest, provider));
  }

  /** Shipped packages are told one another's own stable path, everyone else the host socket. */
  #addressFor(caller: Manifest, provider: PackageRunner): string {
    const { launch } = this.#facts;
    const direct = caller.shipped && provider.manifest.shipped;
    if (direct) return `unix:${instancePaths(launch, provider.manifest.name, 0).stableSocket}`;
    return `unix:${hostSocketOf(launch, caller.name)}`;
  }

  #runner(packageName: string): PackageRunner {
    const runner = this.#fleet?.runners.get(packageName);
    if (runner === undefined) throw new HostError("not-found", `package ${packageName} is not known`);
    return runner;
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}
