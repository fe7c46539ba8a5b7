import type { RouterCounters } from "../router/route-table.ts";
import type { Supervision } from "../status.ts";
import { addCalls } from "./call-metrics.ts";
import { Exposition } from "./exposition.ts";
import type { HostFacts } from "./facts.ts";
import { HttpListener, respondText } from "./http-listener.ts";
import type { PackageChannels } from "./package-channels.ts";
import { PackageMetrics } from "./package-metrics.ts";
import { addPlugins } from "./plugin-metrics.ts";
import { addOwnProcess, addPackageProcesses } from "./process-metrics.ts";

export interface MetricsSources {
  readonly supervision: Supervision;
  readonly facts: Pick<HostFacts, "version" | "revision">;
  readonly channels: PackageChannels;
  /** The router's counters; undefined while the router is away. */
  readonly counters: () => Promise<RouterCounters | undefined>;
  /** Time that calls took, too (`metrics.grpc_histogram`). Default false. */
  readonly grpcHistogram?: boolean;
  /** Processes beside the packages', such as router and holder. */
  readonly processes: () => readonly { readonly package: string; readonly pid: number }[];
}

/** Opens the listener of `metrics.address`: `/v1/metrics` as containerd, and `/metrics`. The caller disposes it. */
export function openMetricsListener(address: string, sources: MetricsSources): Promise<HttpListener> {
  const packages = new PackageMetrics(sources.supervision, sources.channels);
  const scrape = async (_: URL, response: Parameters<typeof respondText>[0]) => {
    const text = await gatherMetrics(sources, packages);
    respondText(response, 200, text, "text/plain; version=0.0.4; charset=utf-8");
  };
  const routes = new Map([
    ["/v1/metrics", scrape],
    ["/metrics", scrape],
  ]);
  return HttpListener.open({ address, routes });
}

async function gatherMetrics(sources: MetricsSources, packages: PackageMetrics): Promise<string> {
  const { supervision, facts } = sources;
  const exposition = new Exposition();
  const build = exposition.family("containerd_build_info_total", "counter", "containerd build information");
  build({ revision: facts.revision, version: facts.version }, 1);
  await addOwnProcess(exposition);
  addPlugins(exposition, supervision.packages());
  const running = supervision
    .packages()
    .flatMap((view) => (view.pid > 0 ? [{ package: view.name, pid: view.pid }] : []));
  await addPackageProcesses(exposition, [...running, ...sources.processes()]);
  const counters = await sources.counters();
  if (counters !== undefined) await addCalls(exposition, counters, { histogram: sources.grpcHistogram ?? false });
  await packages.add(exposition);
  return exposition.toString();
}
