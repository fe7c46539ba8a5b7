import type { Config } from "./config/config.ts";
import type { Manifest } from "./config/manifest.ts";
import { CrashReporter, type CrashReporterOptions, type PackageCrashes } from "./crash/crash-reporter.ts";
import type { Ended } from "./crash/crash.ts";
import type { Fleet } from "./lifecycle/fleet.ts";
import type { PackageRunner } from "./lifecycle/package-runner.ts";
import type { StateName } from "./lifecycle/states.ts";
import { EventPublisher } from "./links/event-publisher.ts";
import { exitEvent, stateEvent } from "./links/package-event.ts";
import type { Log } from "./log.ts";
import { UsageSampler, type LimitMet } from "./process/usage-sampler.ts";

const eventsService = "containerd.services.events.v1.Events";

export interface PackageWatchOptions {
  readonly config: Config;
  readonly log: Log;
  /** Service to the package that keeps its route. */
  readonly routes: ReadonlyMap<string, string>;
  readonly configJson: (manifest: Manifest) => string;
  readonly shownConfig: CrashReporterOptions["shownConfig"];
  readonly callsInFlight: CrashReporterOptions["callsInFlight"];
}

/**
 * Sees what happens to packages, and tells of it beside their status: events, crash reports, limits that were met.
 * Owns: the sampler, the events that wait, the reports in the making.
 */
export class PackageWatch implements AsyncDisposable {
  readonly #log: Log;
  readonly #eventsPackage: string | undefined;
  readonly #sampler: UsageSampler;
  readonly #crashes: CrashReporter;
  readonly #events: EventPublisher;
  #fleet: Fleet | undefined;

  constructor({ config, log, routes, configJson, shownConfig, callsInFlight }: PackageWatchOptions) {
    this.#log = log;
    this.#eventsPackage = routes.get(eventsService);
    const instances = (): Iterable<NonNullable<PackageRunner["process"]>> =>
      [...(this.#fleet?.runners.values() ?? [])].flatMap((runner) => runner.process ?? []);
    this.#sampler = new UsageSampler(instances, (met) => this.#limitMet(met));
    this.#crashes = new CrashReporter({
      root: config.root,
      limits: config.crashes,
      log,
      now: Date.now,
      configJson,
      shownConfig,
      samplesOf: (name, generation) => this.#sampler.samplesOf(name, generation),
      callsInFlight,
    });
    this.#events = new EventPublisher({
      connect: () => {
        const runner = this.#fleet?.runners.get(this.#eventsPackage ?? "");
        return runner?.ready === true ? runner.client?.channel() : undefined;
      },
      onDropped: (count) => log.warn("events of packages were dropped while the events package was away", { count }),
    });
  }

  attach(fleet: Fleet): void {
    this.#fleet = fleet;
  }

  /** The boot is over: what happened in it is told now. */
  booted(): void {
    this.#events.open();
  }

  /** A package has changed; `from` is the state it left, or is in still. */
  changed(runner: PackageRunner, from: StateName): void {
    const { manifest, state, generation } = runner;
    if (state !== from) {
      if (state === "starting") this.#crashes.starting(manifest);
      if (state === "ready" && from !== "unhealthy") this.#crashes.ready(manifest, generation);
      this.#events.publish(stateEvent(runner.view(), from, Date.now()));
    }
    if (manifest.name === this.#eventsPackage) this.#events.wake();
  }

  ended(ended: Ended): void {
    this.#events.publish(exitEvent(ended, Date.now()));
    this.#crashes.ended(ended);
  }

  /** What a package's status says beside its own notes. */
  notesOf(packageName: string): readonly string[] {
    return this.#sampler.notesOf(packageName);
  }

  crashesOf(packageName: string): Promise<PackageCrashes> {
    return this.#crashes.crashesOf(packageName);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sampler[Symbol.dispose]();
    this.#events[Symbol.dispose]();
    await this.#crashes[Symbol.asyncDispose]();
  }

  #limitMet(met: LimitMet): void {
    const { package: plugin, generation, cause } = met;
    this.#log.warn("plugin is at its limit", { plugin, generation, reason: cause });
    this.#events.publish({ type: "limit", atMs: Date.now(), fields: met });
  }
}
