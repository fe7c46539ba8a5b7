import { closeSync, writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";
import { reflectionServices, serve, sourceOfDescriptors, type Service } from "#rpc";
import { settleAfterStart } from "#linux";
import { HostError } from "#proto/wire/errors.ts";
import type { PluginModule } from "./define-plugin.ts";
import { readEnvironment, type Environment } from "./environment.ts";
import { EventSpool } from "./event-spool.ts";
import type { Report } from "./initialization.ts";
import { LifecycleService } from "./lifecycle-service.ts";
import { createLog } from "./log.ts";
import { PeerDirectory } from "./peers.ts";
import { registerPluginImports } from "./resolve-hook.ts";

/** Longest wait for open calls once SIGTERM has come without a Drain; the host's grace period ends it earlier. */
const drainMs = 5000;
/** What calls that are ended have for setting things right, before the plugins below them close. */
const cancelMs = 2000;

/** Runs one TypeScript or JavaScript package: `main.ts <module>`, facts by environment (plugin contract, section 3). */
async function main(): Promise<void> {
  const environment = readEnvironment(process.env);
  const log = createLog(environment.logLevel);
  const stop = new AbortController();
  process.on("SIGTERM", () => stop.abort());
  process.on("SIGINT", () => stop.abort());
  process.on("SIGHUP", () => {});

  const module = loadModule(environment);
  module.catch(() => {}); // Init answers with it
  const { maxRecvMessageBytes, maxSendMessageBytes } = environment;
  // What a peer sends is what this package may have to take.
  const peers = new PeerDirectory(environment.host, log, { maxMessageBytes: maxSendMessageBytes });
  const events = new EventSpool(peers, log);
  const server = serve({
    services: [],
    maxRecvMessageBytes,
    maxSendMessageBytes,
    onUnclassified: (error, method) => log.error("call failed", { method, error }),
  });
  const shared = {
    log,
    peers,
    events,
    report: (report: Report) => peers.report(report),
    signal: stop.signal,
    ttrpcListenerFd: environment.ttrpcListenerFd,
  };
  const lifecycle = new LifecycleService(server, module, peers, shared);
  const descriptors = () => lifecycle.served().flatMap(({ descriptor }) => descriptor ?? []);
  for (const service of [...lifecycle.services(), ...reflection(descriptors)]) server.add(service);
  await server.listen(environment.socket);
  announceReadiness(environment.readyFd);
  void lifecycle.initialized.then(() => settleAfterStart()); // never rejects

  if (!stop.signal.aborted) await new Promise((done) => stop.signal.addEventListener("abort", done, { once: true }));
  await lifecycle.drainCalls(lifecycle.drained ? AbortSignal.abort() : AbortSignal.timeout(drainMs), 0);
  await server.cancel(AbortSignal.timeout(cancelMs));
  await lifecycle.close();
  await events[Symbol.asyncDispose]();
  await peers[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  process.exit(0);
}

function reflection(descriptors: () => readonly NonNullable<Service["descriptor"]>[]): Service[] {
  return reflectionServices(sourceOfDescriptors(descriptors));
}

async function loadModule({ folder }: Environment): Promise<PluginModule> {
  const path = process.argv[2];
  if (path === undefined) throw new HostError("failed-precondition", "plugin-host was given no module to run");
  registerPluginImports();
  const loaded = (await import(pathToFileURL(resolve(folder, path)).href)) as { default?: PluginModule };
  if (loaded.default?.definitions === undefined) {
    throw new HostError(
      "failed-precondition",
      `${path}: the default export is not made by definePlugin or definePlugins`,
    );
  }
  return loaded.default;
}

function announceReadiness(readyFd: number | undefined): void {
  if (readyFd === undefined) return;
  writeSync(readyFd, "\n");
  closeSync(readyFd);
}

await main();
