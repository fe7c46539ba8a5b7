import { existsSync } from "node:fs";
import { join } from "node:path";
import { HostError } from "bulkhead/plugin";
import { timestampNow } from "#proto/wire/timestamp.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { unknownExit, type ProcessExit } from "../process-exit.ts";
import { findShim } from "../shim/runtime-path.ts";
import { runProgram } from "../shim/program.ts";
import { daemonEnvironment, failureOf } from "../shim/shim-program.ts";
import type { ShimCleaner } from "../shim/task-shim.ts";
import { endShimProcesses } from "../tasks/shim-processes.ts";
import type { LegacyOptions } from "./options.ts";

/** Where runc's state is, a folder a namespace, unless options say otherwise. */
const usualRoot = "/run/containerd/runc";
/** What is known of a container whose shim is gone: it was killed. */
const killedStatus = 137;

/** Cleans up for a v1 shim, which has no command for it: by the runtime itself (containerd runtime/v1/linux). */
export class LegacyCleaner implements ShimCleaner {
  readonly #bundle: Bundle;
  readonly #options: LegacyOptions;
  /** How the task ended that the shim has deleted itself. */
  deleted: ProcessExit | undefined;

  constructor(bundle: Bundle, options: LegacyOptions) {
    this.#bundle = bundle;
    this.#options = options;
  }

  async delete(timeoutMs: number): Promise<ProcessExit> {
    if (this.deleted !== undefined) return this.deleted;
    await endShimProcesses(this.#bundle, 0); // a shim that does not answer works there still
    const pid = Number(this.#bundle.readText("init.pid") ?? 0) || 0;
    // Where the runtime was never run, what has this name is somebody else's.
    if (!existsSync(this.#bundle.file("log.json"))) return unknownExit(pid);
    const { namespace, id, path } = this.#bundle;
    const { runtime, runtimeRoot } = this.#options;
    const file = findShim(runtime, process.env["PATH"] ?? "");
    if (file === undefined) throw new HostError("unknown", `exec: "${runtime}": executable file not found in $PATH`);
    const root = join(runtimeRoot === "" ? usualRoot : runtimeRoot, namespace);
    const result = await runProgram({
      file,
      args: ["--root", root, "--log-format", "json", "delete", "--force", id],
      cwd: path,
      env: daemonEnvironment(),
      stdin: new Uint8Array(),
      combined: true,
      timeoutMs,
    });
    const problem = failureOf(result);
    if (problem !== undefined) throw new HostError("unknown", `${result.stdout.toString()}: ${problem}`);
    return { pid, exitStatus: killedStatus, exitedAt: timestampNow() };
  }
}
