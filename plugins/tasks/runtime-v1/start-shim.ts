import { createHash } from "node:crypto";
import { closeSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { HostError } from "bulkhead/plugin";
import {
  isLinuxError,
  onceReady,
  openPid,
  reapChild,
  signalPidfd,
  spawnProcess,
  unixConnect,
  unixListen,
} from "#linux";
import type { Bundle } from "../bundle/bundle.ts";
import { daemonEnvironment } from "../shim/shim-program.ts";
import type { LegacyParts } from "./legacy-parts.ts";
import { LegacyLogs, LegacyShim } from "./legacy-shim.ts";
import type { LegacyOptions } from "./options.ts";

const socketFolder = "/run/containerd/s";
const backlog = 128;
const oomScoreLimit = 1000;

/**
 * Starts a v1 shim on a socket that is bound for it (containerd runtime/v1/shim/client), and connects. Throws unknown
 * when it cannot be started or does not answer; then nothing runs.
 */
export async function startLegacyShim(parts: LegacyParts, bundle: Bundle, options: LegacyOptions): Promise<LegacyShim> {
  const { host, shim, isDebugged } = parts;
  const path = socketOf(host.address, bundle);
  const address = `unix://${path}`;
  const logs = LegacyLogs.open(bundle, { isKept: isDebugged });
  let pidfd: number | undefined;
  try {
    const listener = listenOn(path);
    try {
      // Before the start, so that a restart knows where a shim may be.
      bundle.writeText("address", address);
      const pid = spawnProcess({
        file: shim,
        args: [shim, ...argumentsOf(parts, bundle, options)],
        env: { ...daemonEnvironment(), GOMAXPROCS: "2" },
        cwd: bundle.path,
        descriptors: ["null", "null", "null", listener],
      });
      pidfd = openPid(pid);
      reapOnceEnded(pid);
      yieldToOom(pid);
      bundle.writeText("shim.pid", String(pid));
    } finally {
      closeSync(listener);
    }
    return await LegacyShim.connect(parts, bundle, options, { address, logs });
  } catch (error) {
    logs[Symbol.dispose]();
    if (pidfd !== undefined) signalPidfd(pidfd, "SIGKILL");
    rmSync(path, { force: true });
    throw error instanceof HostError ? error : new HostError("unknown", (error as Error).message, { cause: error });
  } finally {
    if (pidfd !== undefined) closeSync(pidfd);
  }
}

/** The socket of a task's shim. */
function socketOf(daemonAddress: string, { namespace, id }: Bundle): string {
  const name = createHash("sha256")
    .update(join(daemonAddress, namespace, id))
    .digest("hex");
  return join(socketFolder, name);
}

/** Throws unknown when somebody answers there: a task that this one must not disturb. */
function listenOn(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  let fd: number | undefined;
  try {
    fd = unixConnect(path);
  } catch (error) {
    if (!isLinuxError(error)) throw error; // nobody listens
  }
  if (fd === undefined) return unixListen(path, { backlog, mode: 0o600 });
  closeSync(fd);
  throw new HostError("unknown", `listen unix ${path}: bind: address already in use`);
}

function argumentsOf({ host, isDebugged }: LegacyParts, bundle: Bundle, options: LegacyOptions): string[] {
  const { runtimeRoot, systemdCgroup } = options;
  return [
    "-namespace",
    bundle.namespace,
    "-workdir",
    bundle.work,
    "-address",
    host.address,
    "-containerd-binary",
    host.publishBinary,
    ...(runtimeRoot === "" ? [] : ["-runtime-root", runtimeRoot]),
    ...(systemdCgroup ? ["-systemd-cgroup"] : []),
    ...(isDebugged ? ["-debug"] : []),
  ];
}

/** Node does not know of it. */
function reapOnceEnded(pid: number): void {
  const pidfd = openPid(pid);
  onceReady(pidfd, "readable", () => {
    reapChild(pid);
    closeSync(pidfd);
  });
}

/** A shim goes before its daemon when memory is short. Never throws: it may have ended. */
function yieldToOom(pid: number): void {
  try {
    const own = Number(readFileSync("/proc/self/oom_score_adj", "utf8"));
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(Math.min(own + 1, oomScoreLimit)));
  } catch {
    // It keeps ours.
  }
}
