import { startBulkhead } from "../bulkhead-daemon.ts";
import { countingRelay } from "../counting-relay.ts";
import { listPlugins } from "../plugin-status.ts";
import type { TempFolder } from "../temp-folder.ts";
import { StormLoad } from "./storm-load.ts";

export interface HolderStormReport {
  readonly deaths: number;
  readonly calls: number;
  readonly failures: readonly string[];
  /** Connections that clients made beyond the first of each. */
  readonly reconnects: number;
  /** From each start of a daemon to its having taken everything over, milliseconds. */
  readonly takeOverMs: readonly number[];
  /** Packages that have another pid than at first. */
  readonly moved: readonly string[];
}

export interface HolderStormOptions {
  readonly folder: TempFolder;
  readonly config: string;
  /** Launcher; default: the checkout's. */
  readonly command?: string;
  readonly deaths: number;
  readonly connections: number;
  readonly callsPerSecond: number;
  readonly calmCalls: number;
}

/** Kills the holder again and again under load, and starts a new daemon each time. */
export async function stormHolder(options: HolderStormOptions): Promise<HolderStormReport> {
  const { deaths, connections, callsPerSecond, calmCalls } = options;
  const { folder, config, command } = options;
  const subject = { folder, config, ...(command === undefined ? {} : { command }) };
  await using daemons = new AsyncDisposableStack();
  const start = async () => daemons.use(await startBulkhead(subject));
  let daemon = await start();
  const pids = async () => new Map((await listPlugins(daemon)).map((plugin) => [plugin.package, Number(plugin.pid)]));
  const before = await pids();
  const takeOverMs: number[] = [];
  const relay = await countingRelay(folder.join("relay.sock"), daemon.address);
  const load = new StormLoad(relay.path, connections, callsPerSecond);
  {
    await using _relay = relay;
    await using _load = load;
    await load.calm(performance.now(), calmCalls);
    for (let death = 0; death < deaths; death++) {
      daemon.child.kill("SIGKILL");
      await daemon.child.ended;
      await load.calm(performance.now(), calmCalls); // while there is no daemon at all
      const startedMs = performance.now();
      daemon = await start();
      takeOverMs.push(performance.now() - startedMs);
      await load.calm(performance.now(), calmCalls);
    }
  }
  const after = await pids();
  await daemon.stop();
  return {
    deaths,
    calls: load.calls,
    failures: load.failures.map(({ failure = "" }) => failure),
    reconnects: relay.connections - connections,
    takeOverMs,
    moved: [...before].filter(([name, pid]) => name !== "control" && after.get(name) !== pid).map(([name]) => name),
  };
}
