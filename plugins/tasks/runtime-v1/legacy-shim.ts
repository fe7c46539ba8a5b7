import { join } from "node:path";
import { clientOf, type Client } from "bulkhead/plugin";
import { Shim } from "#proto/gen/containerd/runtime/linux/shim/v1/shim_pb.ts";
import type { Task } from "#proto/gen/containerd/task/v2/task_pb.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { shimChannel } from "../shim/shim.ts";
import { ShimLog } from "../shim/shim-log.ts";
import type { TaskShim } from "../shim/task-shim.ts";
import { TtrpcConnection } from "../ttrpc/connection.ts";
import { LegacyCleaner } from "./cleaner.ts";
import type { LegacyParts } from "./legacy-parts.ts";
import type { LegacyOptions } from "./options.ts";
import { endShimProcesses } from "../tasks/shim-processes.ts";
import { endShim } from "./shim-end.ts";
import { legacyTaskClient } from "./task-client.ts";

/** A shim of runtime v1, spoken with as one of v2. */
export class LegacyShim implements TaskShim {
  readonly bundle: Bundle;
  readonly program: LegacyCleaner;
  readonly deletePrefix = "";
  readonly task: Client<typeof Task>;
  readonly closed: Promise<void>;
  readonly #connection: TtrpcConnection;
  readonly #logs: LegacyLogs;

  private constructor(
    { events, hierarchies, timeouts }: LegacyParts,
    bundle: Bundle,
    options: LegacyOptions,
    { connection, logs }: { readonly connection: TtrpcConnection; readonly logs: LegacyLogs },
  ) {
    this.bundle = bundle;
    this.program = new LegacyCleaner(bundle, options);
    this.#connection = connection;
    this.#logs = logs;
    this.closed = connection.closed.then(() => logs[Symbol.dispose]());
    this.task = legacyTaskClient(clientOf(Shim, shimChannel(connection, bundle.namespace, 2)), {
      bundle,
      runtime: options.runtime,
      events,
      cleaner: this.program,
      hierarchies,
      end: async (ask) => {
        try {
          await endShim((await ask()).shimPid, timeouts.shutdownMs);
        } catch {
          await endShimProcesses(bundle, 0); // it does not answer, but works there
        }
      },
    });
  }

  /** Connects; takes over the logs once that stands. Throws unknown, deadline-exceeded, permission-denied. */
  static async connect(
    parts: LegacyParts,
    bundle: Bundle,
    options: LegacyOptions,
    { address, logs }: { readonly address: string; readonly logs: LegacyLogs },
  ): Promise<LegacyShim> {
    const connection = await TtrpcConnection.connect({ address, timeoutMs: parts.timeouts.loadMs });
    return new LegacyShim(parts, bundle, options, { connection, logs });
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
    this.#logs[Symbol.dispose]();
  }
}

/**
 * Both outputs of a shim, FIFOs in its work folder. They must be open here, or the shim waits for that; what comes is
 * kept only when shims are debugged. Owns: both.
 */
export class LegacyLogs implements Disposable {
  readonly #logs: readonly ShimLog[];

  private constructor(logs: readonly ShimLog[]) {
    this.#logs = logs;
  }

  static open({ work }: Bundle, options: { readonly isKept: boolean }): LegacyLogs {
    const names = ["shim.stdout.log", "shim.stderr.log"];
    return new LegacyLogs(names.map((name) => ShimLog.open(join(work, name), options)));
  }

  [Symbol.dispose](): void {
    for (const log of this.#logs) log[Symbol.dispose]();
  }
}
