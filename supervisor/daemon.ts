import { rmSync } from "node:fs";
import { join } from "node:path";
import { keepDescriptorsFromChildren, settleAfterStart } from "#linux";
import { HostError } from "#proto/wire/errors.ts";
import type { Config } from "./config/config.ts";
import { makeSocketFolder, packageFolders } from "./config/socket-folders.ts";
import { deserializeConfig } from "./config/serialization.ts";
import { isSameProcess } from "./process/process-identity.ts";
import type { Manifest } from "./config/manifest.ts";
import type { Ended } from "./crash/crash.ts";
import type { Graph } from "./graph/build-graph.ts";
import { controlTtrpcFd } from "./holder/messages.ts";
import { ExitRecords } from "./holder/exit-records.ts";
import { Obstructions } from "./lifecycle/adoption.ts";
import { Fleet } from "./lifecycle/fleet.ts";
import { PackageDirectory } from "./lifecycle/package-directory.ts";
import { linuxSystem } from "./lifecycle/system.ts";
import { takeUp } from "./lifecycle/take-up.ts";
import { RoutePublisher, type RouteFacts } from "./lifecycle/route-publisher.ts";
import type { HolderLink } from "./links/holder-link.ts";
import { RouterLink } from "./links/router-link.ts";
import { createLog, type Log } from "./log.ts";
import { PackageWatch } from "./package-watch.ts";
import { planPackages } from "./plan-packages.ts";
import { loggedGenerations } from "./process/generations.ts";
import { Cgroups } from "./process/cgroup/cgroups.ts";
import { launchHost } from "./process/launch-host.ts";
import { findSetpriv } from "./process/launch-prefix.ts";
import { hostSocketOf, type LaunchHost, socketOwner } from "./process/launch.ts";
import { missingOnMachine, ownPrivileges } from "./process/privileges.ts";
import { type InstanceRecord, InstanceRecords } from "./process/records.ts";
import { sweepTempMounts } from "./process/temp-mounts.ts";
import { controlHostServices, controlPackage, controlReads, controlRoutes } from "./services/built-in-plugins.ts";
import { hostUuid } from "./services/host-identity.ts";
import { SupervisionView } from "./supervision.ts";
import { hostVersion, readRevision } from "./version.ts";

/**
 * Control's whole life, in the order of design.md section 3; gives the exit code. Before it the holder has checked
 * config, folders and locks and opened the listeners; the router takes calls already and parks them.
 */
export async function runDaemon(link: HolderLink): Promise<number> {
  const { epoch, config: serialized, bootStartedAtMs, restarted } = await link.started();
  const config = deserializeConfig(serialized);
  const log = createLog(config.debug);
  const stop = stopRequests();
  keepDescriptorsFromChildren();

  // What an earlier control left behind: instances that may still run, mounts of those that do not.
  const records = new InstanceRecords(config.state);
  const left = records.readAll();
  for (const plugin of left.corrupt) log.warn("a record of an instance is corrupt and was removed", { plugin });
  sweepMounts(config, left.records, log);
  await using cgroups = Cgroups.open({ state: config.state, daemonPid: process.ppid });
  cgroups.sweep(
    new Set(left.records.filter((each) => isSameProcess(each)).map((each) => `${each.package}.${each.generation}`)),
  );

  // Packages, their graph, and what each may call.
  const folders = packageFolders(config.state);
  if (folders.shortened !== undefined) log.warn("package sockets are elsewhere", { reason: folders.shortened });
  for (const folder of [folders.socketFolder, folders.hostSocketFolder]) makeSocketFolder(folder);
  const privileges = ownPrivileges(cgroups, findSetpriv());
  const launch = launchHost(config, folders, privileges);
  const { graph, configs } = await planPackages(config, log);
  const manifests = graph.plans.map(({ manifest }) => manifest);
  for (const missing of missingOnMachine(manifests, privileges)) log.warn("not possible here", { missing });

  // The fleet, and who hears of its changes: router, packages, watchers.
  await using router = new RouterLink(join(config.state, "router.sock"), (name, generation, reason) =>
    log.debug("connection to plugin lost", { plugin: name, generation, reason }),
  );
  const directory = new PackageDirectory({
    hostVersion,
    hostUuid: () => hostUuid(config.root),
    launch,
    configOf: (manifest, uri) => configs.configOf(manifest, uri),
  });
  const routes = new RoutePublisher(routeFacts(config, graph, epoch), router);
  const obstructions = new Obstructions();
  await using watch = new PackageWatch({
    config,
    log,
    routes: graph.routes,
    configJson: (manifest) => directory.registrations(manifest).configJson,
    shownConfig: (manifest, uri) => configs.shownConfigOf(manifest, uri),
    callsInFlight: (name, generation) => router.callsInFlight(name, generation),
  });
  const host = {
    launch,
    records,
    exits: new ExitRecords(config.state),
    log,
    hostVersion,
    ttrpcListenerFd: controlTtrpcFd,
    system: linuxSystem,
    random: Math.random,
    shownConfig: (manifest: Manifest, uri: string) => configs.shownConfigOf(manifest, uri),
    registrations: (manifest: Manifest) => directory.registrations(manifest),
    drainRouter: (name: string, generation: number, timeoutMs: number) => router.drain(name, generation, timeoutMs),
    cutRouter: (name: string, generation: number, reason: string) => router.cut(name, generation, reason),
    obstruction: (manifest: Manifest) => obstructions.of(manifest),
    ended: (ended: Ended) => watch.ended(ended),
  };
  const fleet = new Fleet({
    plans: graph.plans,
    lastGenerations: lastGenerations(config.state, left.records),
    host,
    onChange: (runner, from) => {
      watch.changed(runner, from);
      routes.schedule();
      directory.wake();
      supervision.changed(runner.view());
    },
  });
  const supervision = new SupervisionView(
    {
      version: hostVersion,
      controlSocket: join(config.state, "control.sock"),
      epoch,
      startedMs: Date.now(),
      routes: new Map(Object.entries(routeFacts(config, graph, epoch).routes).filter(([route]) => isService(route))),
      introspectionOrder: graph.introspection.map(({ uri }) => uri),
    },
    fleet,
    watch,
  );
  directory.attach(fleet);
  watch.attach(fleet);
  link.listen({
    stop: (reason, hasten) => {
      stop.request(reason);
      if (hasten) fleet.hasten();
    },
    dump: () => dumpState(supervision, log),
    newRouter: () => router.reconnect(),
  });
  await Promise.all(manifests.map((manifest) => bindHostSocket(link, launch, manifest)));

  // Processes first: they load while control loads its own services.
  const attach = (): void => routes.attach(fleet);
  const { settled } = await takeUp({ records: left.records, attach, fleet, host, obstructions });
  // Groups of instances that were not adopted; each package's present one stays.
  void settled.then(() =>
    cgroups.sweep(new Set(Array.from(fleet.runners.values(), (each) => `${each.manifest.name}.${each.generation}`))),
  );
  const { openServices } = await import("./open-services.ts");
  const services = await openServices({
    config,
    supervision,
    directory,
    log,
    counters: () => router.counters(),
    processes: () => [{ package: "holder", pid: process.ppid }, ...router.processes()],
    facts: { version: hostVersion, revision: readRevision(), root: config.root, state: config.state, pid: process.pid },
  });
  routes.controlServes();

  // Up: everything had its turn, or there is a reason to give up.
  const failure = await boot(fleet, graph, config, stop.signal);
  if (failure !== undefined && restarted) log.error("a required plugin is not there", { error: failure });
  const bootFailure = restarted ? undefined : failure; // a daemon that has been up stays up
  if (bootFailure !== undefined) log.error("boot failed", { error: bootFailure });
  else if (!stop.signal.aborted) {
    routes.booted();
    for (const address of [config.ttrpc.address, config.grpc.address]) log.info("serving...", { address });
    log.info(`bulkhead successfully booted in ${((Date.now() - bootStartedAtMs) / 1000).toFixed(6)}s`);
    log.info(`to see what runs: ${tryCommand(config)}`);
    link.ready(stopTimeoutMs(graph));
    watch.booted();
    await log.openLogger();
    settleAfterStart({ keepsSmall: true, interprets: true });
    await stop.requested;
  }

  // Down, in reverse: packages by graph, then our own services, then the links.
  await fleet.stop();
  rmSync(folders.socketFolder, { recursive: true, force: true });
  await services[Symbol.asyncDispose]();
  const exitCode = bootFailure === undefined ? 0 : 1;
  link.stopped(exitCode);
  return exitCode;
}

/** A stop may be asked for at any time. */
function stopRequests() {
  const controller = new AbortController();
  const requested = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const request = (reason: string): void => controller.abort(new HostError("canceled", reason));
  return { signal: controller.signal, requested, request };
}

/** Waits until each package had its turn (at most `boot.wait`) and required ones are ready; gives what went wrong. */
async function boot(fleet: Fleet, graph: Graph, config: Config, stop: AbortSignal): Promise<string | undefined> {
  if (graph.missingRequired.length > 0) return graph.missingRequired.join("; ");
  const required = graph.requiredPackages;
  const wait = AbortSignal.timeout(config.boot.waitMs);
  await fleet.settled(required, AbortSignal.any([wait, stop])).catch(() => {}); // late ones go on by themselves
  fleet.releaseOrder();
  if (stop.aborted) return undefined;
  await fleet.finished(required, stop).catch(() => {});
  const failed = config.requiredPlugins.flatMap((uri) => fleet.failureOf(uri) ?? []);
  return stop.aborted || failed.length === 0 ? undefined : failed.join("; ");
}

/** The socket is a package's identity: it belongs to the package's user alone. */
function bindHostSocket(link: HolderLink, launch: LaunchHost, manifest: Manifest): Promise<void> {
  return link.bindHostSocket(manifest.name, hostSocketOf(launch, manifest.name), socketOwner(launch, manifest));
}

function isService(route: string): boolean {
  return !route.startsWith("/");
}

function routeFacts(config: Config, graph: Graph, epoch: number): RouteFacts {
  const own = Object.fromEntries(controlRoutes.map((service) => [service, controlPackage]));
  return {
    epoch,
    bootWaitMs: config.boot.waitMs,
    limits: {
      maxRecvMessageBytes: config.grpc.maxRecvMessageBytes,
      maxSendMessageBytes: config.grpc.maxSendMessageBytes,
      router: config.router,
    },
    routes: { ...Object.fromEntries(graph.routes), ...own },
    choices: Object.fromEntries([...graph.choices].map(([service, choices]) => [service, Object.fromEntries(choices)])),
    hostServices: Object.fromEntries(controlHostServices.map((service) => [service, controlPackage])),
    control: {
      name: controlPackage,
      socket: join(config.state, "control.sock"),
      serves: [...controlRoutes, ...controlHostServices],
      reads: controlReads,
    },
  };
}

/** One line to try next, as it must be typed here. */
function tryCommand(config: Config): string {
  const launcher = import.meta.url.endsWith(".ts") ? "scripts/bulkhead" : "bulkhead";
  return `${launcher} --address ${config.grpc.address} plugins ls`;
}

/** What an ordered stop takes at most: a drain and a grace period for each wave of the graph. */
function stopTimeoutMs(graph: Graph): number {
  const graces = new Map(graph.plans.map(({ manifest }) => [manifest.name, manifest.stop.graceMs]));
  const longest = (wave: readonly string[]): number => Math.max(0, ...wave.map((name) => graces.get(name) ?? 0));
  return graph.waves.reduce((sum, wave) => sum + 2 * longest(wave), 1000);
}

/** The last generation that ever ran, by package. */
function lastGenerations(state: string, records: readonly InstanceRecord[]): ReadonlyMap<string, number> {
  const last = loggedGenerations(state);
  for (const { package: name, generation } of records) last.set(name, Math.max(generation, last.get(name) ?? 0));
  return last;
}

/** Mounts of generations that may still run stay. */
function sweepMounts(config: Config, records: readonly InstanceRecord[], log: Log): void {
  const alive = records.filter((each) => isSameProcess(each)).map((record) => `${record.package}-${record.generation}`);
  for (const error of sweepTempMounts(config.root, new Set(alive))) log.warn("temporary mount left behind", { error });
}

/** SIGUSR1: every package's state, one line each. */
function dumpState(supervision: SupervisionView, log: Log): void {
  for (const { name, state, reason, pid, generation, restarts } of supervision.packages()) {
    log.info("state of package", { plugin: name, state, reason, pid, generation, restarts });
  }
}
