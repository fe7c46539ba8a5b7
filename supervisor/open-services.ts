import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { serve, type Service } from "#rpc";
import type { Config } from "./config/config.ts";
import type { Log } from "./log.ts";
import type { RouterCounters } from "./router/route-table.ts";
import { controlServices, PackageChannels, type HostDirectory, type HostFacts } from "./services/index.ts";
import type { Supervision } from "./status.ts";

export interface ServicesOptions {
  readonly config: Config;
  readonly supervision: Supervision;
  readonly directory: HostDirectory;
  readonly facts: HostFacts;
  readonly log: Log;
  readonly counters: () => Promise<RouterCounters | undefined>;
  readonly processes: () => readonly { readonly package: string; readonly pid: number }[];
}

/**
 * Everything control answers itself: gRPC behind the router (control.sock), gRPC for the daemon's user alone
 * (admin.sock), debug and metrics where they are configured. A listener that cannot be opened is said and left out,
 * except the two gRPC ones. The caller disposes the result.
 */
export async function openServices(options: ServicesOptions): Promise<AsyncDisposable> {
  const { config, supervision, directory, facts, log } = options;
  await using opened = new AsyncDisposableStack();
  const channels = opened.use(new PackageChannels());
  const services = controlServices(supervision, facts, directory, channels);
  const limits = {
    maxRecvMessageBytes: config.grpc.maxRecvMessageBytes,
    maxSendMessageBytes: config.grpc.maxSendMessageBytes,
  };
  const onUnclassified = (error: Error, method: string): void => log.error("call failed", { method, error });
  const open = async (name: string, list: readonly Service[]): Promise<void> => {
    const path = join(config.state, name);
    const server = opened.use(serve({ services: list, ...limits, onUnclassified }));
    await server.listen(path);
    await chmod(path, 0o600);
  };
  await open("control.sock", services.main);
  await open("admin.sock", services.admin);

  const optional = async (what: string, address: string, listen: () => Promise<AsyncDisposable>): Promise<void> => {
    if (address === "") return;
    try {
      opened.use(await listen());
      log.info("serving...", { address });
    } catch (error) {
      log.error(`${what} listener cannot be opened`, { address, error: String(error) });
    }
  };
  const { counters, processes } = options;
  await optional("debug", config.debug.address, async () => {
    const { openDebugListener } = await import("./services/debug-listener.ts");
    return openDebugListener(config.debug, { supervision, facts, channels });
  });
  await optional("metrics", config.metrics.address, async () => {
    const { openMetricsListener } = await import("./services/metrics-listener.ts");
    return openMetricsListener(config.metrics.address, {
      supervision,
      facts,
      channels,
      counters,
      processes,
      grpcHistogram: config.metrics.grpcHistogram,
    });
  });
  return opened.move();
}
