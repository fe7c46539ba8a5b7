import { clientOf, HostError, type Channel, type Client } from "bulkhead/plugin";
import { Task } from "#proto/gen/containerd/task/v2/task_pb.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { TtrpcConnection } from "../ttrpc/connection.ts";
import { fromShim } from "./shim-errors.ts";
import type { ShimLog } from "./shim-log.ts";
import type { ShimProgram } from "./shim-program.ts";
import type { ShimAddress } from "./start-answer.ts";
import type { TaskShim } from "./task-shim.ts";

export interface ShimParts {
  readonly bundle: Bundle;
  readonly program: ShimProgram;
  readonly log: ShimLog;
}

/** A shim of runtime v2. */
export class Shim implements TaskShim {
  readonly bundle: Bundle;
  readonly program: ShimProgram;
  readonly deletePrefix = "failed to delete task: ";
  readonly task: Client<typeof Task>;
  readonly closed: Promise<void>;
  readonly #connection: TtrpcConnection;
  readonly #log: ShimLog;

  private constructor({ bundle, program, log }: ShimParts, connection: TtrpcConnection, version: 2 | 3) {
    this.bundle = bundle;
    this.program = program;
    this.#log = log;
    this.#connection = connection;
    this.closed = connection.closed.then(() => log[Symbol.dispose]());
    this.task = clientOf(Task, shimChannel(connection, bundle.namespace, version));
  }

  /** Connects; takes over the log. Throws unknown, deadline-exceeded, permission-denied. */
  static async connect(parts: ShimParts, { address, version }: ShimAddress, timeoutMs: number): Promise<Shim> {
    const connection = await TtrpcConnection.connect({ address, timeoutMs });
    return new Shim(parts, connection, version);
  }

  get isClosed(): boolean {
    return this.#connection.isClosed;
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
    this.#log[Symbol.dispose]();
  }
}

/** A connection on which each call says the namespace, and says it in the words of the shim's version. */
export function shimChannel(connection: TtrpcConnection, namespace: string, version: 2 | 3): Channel {
  return {
    target: connection.target,
    raw: () => {
      throw new HostError("unimplemented", "streams over ttrpc are not offered");
    },
    async unary(method, request, options = {}) {
      const name = version === 2 ? method : method.replace("/containerd.task.v2.", "/containerd.task.v3.");
      try {
        const metadata = { [metadataKeys.ttrpcNamespace]: namespace };
        return await connection.unary(name, request, { ...options, metadata });
      } catch (error) {
        throw fromShim(error);
      }
    },
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
}
