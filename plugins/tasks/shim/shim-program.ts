import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { AnySchema, type Any } from "@bufbuild/protobuf/wkt";
import { HostError, type Log } from "bulkhead/plugin";
import { DeleteResponseSchema } from "#proto/gen/containerd/task/v2/task_pb.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { exitOf, type ProcessExit } from "../process-exit.ts";
import { runProgram } from "./program.ts";
import { parseStartAnswer, type ShimAddress } from "./start-answer.ts";

/** What every shim is told of the daemon. */
export interface ShimHost {
  /** Path of the main socket, always spelled alike: shims hash it into their own. */
  readonly address: string;
  readonly ttrpcAddress: string;
  /** Absolute path of the daemon's program. */
  readonly publishBinary: string;
  readonly debug: boolean;
  readonly schedCore: boolean;
  readonly log: Log;
}

/** Runs a shim's binary for one bundle (containerd runtime/v2/binary.go). */
export class ShimProgram {
  readonly binary: string;
  readonly #bundle: Bundle;
  readonly #host: ShimHost;

  constructor(binary: string, bundle: Bundle, host: ShimHost) {
    this.binary = binary;
    this.#bundle = bundle;
    this.#host = host;
  }

  /** Has it start its shim; `options` are the runtime's. Throws unknown with what it printed, deadline-exceeded. */
  async start(options: Any | undefined, timeoutMs: number, signal: AbortSignal): Promise<ShimAddress> {
    const debug = this.#host.debug ? ["-debug"] : [];
    const result = await runProgram({
      ...this.#common(["-id", this.#bundle.id, ...debug, "start"]),
      stdin: options === undefined ? new Uint8Array() : toBinary(AnySchema, options),
      combined: true,
      timeoutMs,
      signal,
    });
    const problem = failureOf(result);
    if (problem !== undefined) throw new HostError("unknown", `${result.stdout.toString()}: ${problem}`);
    return parseStartAnswer(result.stdout);
  }

  /**
   * Has it take away what a shim that cannot be spoken with any more has left; gives how the task ended. Throws unknown
   * with what it printed, deadline-exceeded.
   */
  async delete(timeoutMs: number): Promise<ProcessExit> {
    const { id, path } = this.#bundle;
    const result = await runProgram({
      ...this.#common(["-id", id, "-bundle", path, "delete"]),
      stdin: new Uint8Array(),
      combined: false,
      timeoutMs,
    });
    const warnings = result.stderr.toString();
    const problem = failureOf(result);
    if (problem !== undefined) throw new HostError("unknown", `${warnings}: ${problem}`);
    if (warnings !== "") this.#host.log.debug("shim delete warned", { id, warnings });
    return exitOf(fromBinary(DeleteResponseSchema, result.stdout));
  }

  #common(args: readonly string[]) {
    const { namespace, path } = this.#bundle;
    const { address, publishBinary } = this.#host;
    const first = ["-namespace", namespace, "-address", address, "-publish-binary", publishBinary];
    return { file: this.binary, args: [...first, ...args], cwd: path, env: this.#environment() };
  }

  #environment(): Record<string, string> {
    const { address, ttrpcAddress, schedCore } = this.#host;
    return {
      ...daemonEnvironment(),
      TTRPC_ADDRESS: ttrpcAddress,
      // Read by shims of containerd 1.7 and later, which then speak as this one does.
      GRPC_ADDRESS: address,
      NAMESPACE: this.#bundle.namespace,
      MAX_SHIM_VERSION: "2",
      ...(schedCore ? { SCHED_CORE: "1" } : {}),
    };
  }
}

const ours = /^(BULKHEAD_.*|NODE_COMPILE_CACHE|MALLOC_ARENA_MAX|UV_THREADPOOL_SIZE)$/;

/** The daemon's own environment, without what is this package's. */
export function daemonEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !ours.test(name)) env[name] = value;
  }
  return env;
}

/** How a program failed, in Go's words; undefined: it did not. */
export function failureOf({
  code,
  signal,
}: {
  code: number | undefined;
  signal: number | undefined;
}): string | undefined {
  if (code === 0) return undefined;
  return code === undefined ? `signal: ${signal ?? "unknown"}` : `exit status ${code}`;
}
