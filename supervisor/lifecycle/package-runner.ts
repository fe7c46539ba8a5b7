import type { InitRequest, InitResponse } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import type { Clock, Timer } from "../clock.ts";
import { uriOf, type Manifest } from "../config/manifest.ts";
import { instancePaths } from "../process/launch.ts";
import type { PackageView, PluginView } from "../status.ts";
import { describeExit } from "./exits.ts";
import { describeLateStart } from "./late-start.ts";
import { declaredOutcome, initEvent, outcomesOf, pluginState, type PluginOutcome } from "./init-results.ts";
import { Instance } from "./instance.ts";
import type { InstanceCalls } from "./instance-client.ts";
import { Liveness } from "./liveness.ts";
import { packageNotes } from "./package-notes.ts";
import type { RunnerHost } from "./runner-host.ts";
import type { Action, Exit, LifecycleEvent, Machine, StateName } from "./states.ts";
import { initialMachine, transition } from "./transitions.ts";

/**
 * Drives one package through the lifecycle table: the one place where its effects run. Owns: the instance, its
 * watchdog while it is ready, the timer of the present state.
 */
export class PackageRunner {
  readonly manifest: Manifest;
  readonly #host: RunnerHost;
  readonly #clock: Clock;
  readonly #queue: LifecycleEvent[] = [];
  readonly #settled = new Set<() => void>();
  #firstGeneration: number;
  #machine: Machine;
  #instance: Instance | undefined;
  #liveness: Liveness | undefined;
  #generation: number;
  #outcomes: ReadonlyMap<string, PluginOutcome>;
  #sinceMs: number;
  #lastExit: PackageView["lastExit"];
  #timer: Timer | undefined;
  #nextAttemptMs: number | undefined;
  #handling = false;

  /** `state` is declared, disabled or failed; the last generation that ever ran counts on. */
  constructor(
    manifest: Manifest,
    host: RunnerHost,
    state: "declared" | "disabled" | "failed",
    reason: string,
    lastGeneration: number,
  ) {
    this.manifest = manifest;
    this.#host = host;
    this.#clock = host.system.clock;
    this.#machine = initialMachine(state, reason);
    this.#generation = lastGeneration;
    this.#firstGeneration = lastGeneration + 1;
    this.#sinceMs = this.#clock.now();
    this.#outcomes = new Map(manifest.plugins.map((plugin) => [uriOf(plugin), declaredOutcome(plugin)]));
  }

  get machine(): Machine {
    return this.#machine;
  }

  get state(): StateName {
    return this.#machine.state;
  }

  get ready(): boolean {
    return this.state === "ready" || this.state === "unhealthy";
  }

  get reason(): string {
    return this.state === "waiting" ? this.#host.missingRequirements(this.manifest.name) : this.#machine.reason;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Socket of the present generation. */
  get socket(): string | undefined {
    return this.#instance?.socket;
  }

  /** The present instance, if it is a process of ours. */
  get process(): Instance | undefined {
    return this.#instance?.process === undefined ? undefined : this.#instance;
  }

  /** The host's connection to the present instance. */
  get client(): InstanceCalls | undefined {
    return this.#instance?.client;
  }

  /** What Init said of one plugin, else what the manifest says. */
  outcome(uri: string): PluginOutcome | undefined {
    return this.#outcomes.get(uri);
  }

  /** Handles an event and all that follow from it. Safe to call from within an effect. */
  dispatch(event: LifecycleEvent): void {
    this.#queue.push(event);
    if (this.#handling) return;
    this.#handling = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#handle(next);
    } finally {
      this.#handling = false;
    }
  }

  /**
   * Takes over a proved instance of an earlier control; `init` is what its Init had answered. One that would be started
   * otherwise today is restarted by the caller.
   */
  adopt(instance: Instance, init: InitResponse | undefined): void {
    this.#instance = instance;
    this.#generation = instance.generation;
    this.#firstGeneration = instance.firstGeneration;
    if (init !== undefined) this.#outcomes = outcomesOf(this.manifest, init);
    this.#background(instance.ended?.then((exit) => this.#ended(instance, exit)));
    this.dispatch({ type: "adopted" });
  }

  /** Whether what runs differs from what would be started today. */
  get changed(): boolean {
    return this.ready && this.#instance?.changed === true;
  }

  /** Resolves when `wanted` is true of the state; looked at after each transition. Rejects when `signal` aborts. */
  async until(wanted: (state: StateName) => boolean, signal?: AbortSignal): Promise<void> {
    while (!wanted(this.state)) {
      await new Promise<void>((resolve, reject) => {
        const abort = (): void => reject(signal?.reason as Error);
        const settle = (): void => {
          this.#settled.delete(settle);
          signal?.removeEventListener("abort", abort);
          resolve();
        };
        if (signal?.aborted === true) return abort();
        signal?.addEventListener("abort", abort, { once: true });
        this.#settled.add(settle);
      });
    }
  }

  /** What status commands show. */
  view(): PackageView {
    const { manifest, state, reason } = this;
    const { name, version, tier, folder, plugins } = manifest;
    const uris = plugins.map(uriOf);
    return {
      name,
      version,
      tier,
      folder,
      plugins: plugins.map((declaration) => this.#pluginView(declaration)),
      state,
      reason,
      pid: this.#instance?.pid ?? 0,
      generation: this.#generation,
      restarts: Math.max(0, this.#generation - this.#firstGeneration),
      sinceMs: this.#sinceMs,
      socket: this.socket ?? "",
      logFile: tier === "external" ? "" : instancePaths(this.#host.launch, name, this.#generation).logFile,
      lastExit: this.#lastExit,
      nextAttemptMs: this.#nextAttemptMs,
      notes: packageNotes(manifest, this.#host.launch.privileges, this.#instance),
      config: Object.fromEntries(uris.map((uri) => [uri, this.#host.shownConfig(manifest, uri)])),
    };
  }

  #pluginView(declaration: Manifest["plugins"][number]): PluginView {
    const outcome = this.#outcomes.get(uriOf(declaration)) ?? declaredOutcome(declaration);
    const { code, exports, capabilities, platforms } = outcome;
    const reason = outcome.outcome === "ok" ? this.reason : outcome.reason;
    return { declaration, state: pluginState(this.state, outcome), reason, code, exports, capabilities, platforms };
  }

  #handle(event: LifecycleEvent): void {
    const from = this.#machine;
    const step = transition(from, event, {
      policy: this.manifest.restart,
      native: this.manifest.tier === "native",
      requirementsMet: this.#host.requirementsMet(this.manifest.name),
      nowMs: this.#clock.monotonic(),
      random: () => this.#host.random(),
    });
    this.#machine = step.machine;
    const entered = step.machine.state !== from.state;
    if (entered) this.#enter(from.state);
    for (const action of step.actions) this.#act(action);
    if (step.machine !== from) this.#host.changed(this, from.state);
    if (entered) for (const settle of this.#settled) settle();
  }

  #enter(from: StateName): void {
    this.#sinceMs = this.#clock.now();
    if (this.state === "ready" && from !== "unhealthy") this.#instance?.markReady();
    this.#watch();
    const { log } = this.#host;
    const { name: plugin } = this.manifest;
    const reason = this.reason === "" ? {} : { reason: this.reason };
    const facts = { plugin, from, to: this.state, generation: this.#generation, ...reason };
    if (this.state === "failed") log.error("plugin failed", facts);
    else if (this.state === "backoff") log.warn("plugin will be started again", facts);
    else if (this.state === "ready") log.info("plugin ready", { ...facts, pid: this.#instance?.pid ?? 0 });
    else log.debug("plugin state", facts);
  }

  /** Only one that is to answer is asked whether it does. */
  #watch(): void {
    const instance = this.#instance;
    if (this.ready && instance !== undefined) {
      this.#liveness ??= new Liveness(instance, this.#host.system, (event) => this.#ifCurrent(instance, event));
    } else {
      this.#liveness?.[Symbol.dispose]();
      this.#liveness = undefined;
    }
  }

  #act(action: Action): void {
    switch (action) {
      case "spawn":
        return this.#spawn();
      case "init":
        return this.#background(this.#init());
      case "drain":
        return this.#background(this.#drain());
      case "terminate":
        return this.#end((instance) => instance.process?.terminate());
      case "kill":
        this.#host.cutRouter(this.manifest.name, this.#generation, this.reason);
        return this.#end((instance) => instance.kill());
      case "disarm":
        this.#clock.clearTimer(this.#timer);
        this.#nextAttemptMs = undefined;
        return;
      default:
        return this.#arm(action);
    }
  }

  #arm(action: Exclude<Action, string>): void {
    const { readiness, stop } = this.manifest;
    switch (action.arm) {
      case "readiness":
        return this.#fire(
          () => ({ type: "readiness-timeout", reason: this.#describeLateStart() }),
          readiness.timeoutMs,
        );
      case "drain":
        return this.#fire(() => ({ type: "drained" }), stop.graceMs);
      case "grace":
        return this.#fire(() => ({ type: "grace-over" }), stop.graceMs);
      case "timer":
        this.#nextAttemptMs = this.#clock.now() + action.delayMs;
        return this.#fire(() => ({ type: "timer" }), action.delayMs);
    }
  }

  #fire(event: () => LifecycleEvent, delayMs: number): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = this.#clock.setTimer(() => this.dispatch(event()), delayMs);
  }

  #describeLateStart(): string {
    const { manifest, state } = this;
    return describeLateStart({
      manifest,
      initializing: state === "initializing",
      bound: this.#host.system.sockets.isBound(this.#instance?.socket ?? ""),
    });
  }

  #spawn(): void {
    try {
      const obstruction = this.#host.obstruction(this.manifest);
      if (obstruction !== undefined) return this.dispatch({ type: "obstructed", reason: obstruction });
      const instance = Instance.start(this.manifest, this.#host, ++this.#generation, this.#firstGeneration);
      this.#instance = instance;
      this.#background(instance.ended?.then((exit) => this.#ended(instance, exit)));
      this.#background(this.#awaitReadiness(instance));
    } catch (error) {
      this.dispatch({ type: "spawn-failed", reason: error instanceof Error ? error.message : String(error) });
    }
  }

  async #awaitReadiness(instance: Instance): Promise<void> {
    try {
      await instance.untilReady();
    } catch (error) {
      // A process that gets nowhere is ended by its timeout, or its exit says more; an external socket has neither.
      if (instance.process === undefined && this.#instance === instance) {
        this.#instance = undefined;
        this.#background(instance.forget());
        this.dispatch({ type: "spawn-failed", reason: `${instance.socket} does not answer: ${String(error)}` });
      }
      return;
    }
    this.#ifCurrent(instance, { type: "socket-ready" });
  }

  async #init(): Promise<void> {
    const instance = this.#instance;
    if (instance === undefined) return;
    let event: LifecycleEvent;
    try {
      this.#clock.clearTimer(this.#timer); // waiting for one's turn is not slowness
      await this.#host.orderReached(this.manifest.name, instance.signal);
      if (this.#instance !== instance || this.state !== "initializing") return;
      this.#arm({ arm: "readiness" });
      const response = await instance.client.init(this.#initRequest(instance), instance.signal);
      if (instance.signal.aborted) return;
      event = this.#takeOutcomes(response);
    } catch (error) {
      if (instance.signal.aborted) return; // its exit says more
      const reason = `Init: ${error instanceof Error ? error.message : String(error)}`;
      event = { type: "init-failed", reason, retriable: !isHostError(error, "unimplemented") };
    }
    this.#ifCurrent(instance, event);
  }

  #initRequest({ generation, nonce }: Instance): InitRequest {
    const { registrations, peers } = this.#host.registrations(this.manifest);
    return {
      $typeName: "bulkhead.plugin.v1.InitRequest",
      hostVersion: this.#host.hostVersion,
      hostFeatures: [],
      package: this.manifest.name,
      generation: BigInt(generation),
      nonce,
      registrations,
      peers,
    };
  }

  #takeOutcomes(response: InitResponse): LifecycleEvent {
    this.#outcomes = outcomesOf(this.manifest, response);
    for (const [plugin, { outcome, reason }] of this.#outcomes) {
      if (outcome === "skipped") this.#host.log.info(`skip loading plugin "${plugin}"...`, { error: reason });
      if (outcome === "failed") this.#host.log.warn(`failed to load plugin ${plugin}`, { error: reason });
    }
    return initEvent(this.#outcomes);
  }

  async #drain(): Promise<void> {
    const instance = this.#instance;
    if (instance === undefined) return;
    const { name, tier, stop } = this.manifest;
    const reason = this.#machine.afterExit === "stopped" ? "stop" : "restart";
    const asked =
      tier === "native" ? instance.client.drain(reason, instance.signal, this.#clock.now() + stop.graceMs) : undefined;
    await Promise.all([asked, this.#host.drainRouter(name, instance.generation, stop.graceMs)]);
    this.#ifCurrent(instance, { type: "drained" });
  }

  /** An external package has no process: letting go of it is its exit. */
  #end(signal: (instance: Instance) => void): void {
    const instance = this.#instance;
    if (instance?.process !== undefined) signal(instance);
    else this.#ended(instance, { code: undefined, signal: undefined, lastLine: "" });
  }

  #ended(instance: Instance | undefined, exit: Exit): void {
    if (instance?.process !== undefined) {
      const { code = -1, signal = "", oomKilled = false } = exit;
      this.#lastExit = { code, signal, oomKilled, atMs: this.#clock.now() };
      this.#host.ended?.({ manifest: this.manifest, instance, exit, machine: this.#machine });
      if (this.state !== "stopping") this.#logEnd(instance, exit);
    }
    if (instance !== undefined && this.#instance === instance) this.#instance = undefined;
    this.#background(instance?.forget());
    this.dispatch({ type: "exit", exit });
  }

  #logEnd({ generation, pid }: Instance, exit: Exit): void {
    this.#host.log.warn("plugin ended", { plugin: this.manifest.name, generation, pid, reason: describeExit(exit) });
  }

  #ifCurrent(instance: Instance, event: LifecycleEvent): void {
    if (this.#instance === instance) this.dispatch(event);
  }

  /** Effects that outlast the event: none may reject unseen. */
  #background(effect: Promise<unknown> | undefined): void {
    effect?.catch((error: unknown) => {
      this.#host.log.error("supervision of a plugin failed", { plugin: this.manifest.name, error });
    });
  }
}
