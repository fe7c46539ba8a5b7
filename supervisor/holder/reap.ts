import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { packageFolders } from "../config/socket-folders.ts";
import { endGroups, handBackControllers } from "../process/cgroup/left-groups.ts";
import { endLeftovers, endProcess } from "../process/leftovers.ts";
import { InstanceRecords } from "../process/records.ts";
import { sweepTempMounts } from "../process/temp-mounts.ts";
import { DaemonLocks } from "./daemon-locks.ts";
import { removeEmptyState } from "./folders.ts";
import type { HolderLog } from "./holder-log.ts";
import { openSame } from "./live-router.ts";
import { PartRecords } from "./part-records.ts";
import { StartFailure } from "./start-failure.ts";
import { leftFiles } from "./state-files.ts";

/** What a router or control that is left may take to end. */
const partGraceMs = 1000;
/** Results of a service after which systemd starts it again, as `Restart=on-failure` of our unit says. */
const restartedResults: ReadonlySet<string> = new Set(["exit-code", "signal", "core-dump", "watchdog", "oom-kill"]);
/** Exit status after which it does not (`RestartPreventExitStatus=`): the config is wrong. */
const preventedStatus = "78";

/**
 * Ends router, control and packages of a daemon that died, and removes what it left in its state. Nothing is touched
 * while a daemon lives (its lock says so), or when `env` is that of an `ExecStopPost=` after which systemd starts the
 * next, which will adopt all of it.
 */
export async function reapState(config: Config, env: NodeJS.ProcessEnv, log: HolderLog): Promise<void> {
  const { state } = config;
  if (comesBack(env)) {
    handBackControllers(state);
    return log.info("left to the next daemon", { result: env["SERVICE_RESULT"] });
  }
  if (!existsSync(state)) return;
  let locks: DaemonLocks;
  try {
    locks = DaemonLocks.acquire(config, new Date());
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    return log.info("nothing to reap: a daemon lives", { state });
  }
  try {
    const parts = new PartRecords(state, log).left;
    // Control first: it would start again what is ended here.
    for (const part of [parts.control, parts.router]) {
      const pidfd = part === undefined ? undefined : openSame(part);
      if (part === undefined || pidfd === undefined) continue;
      log.warn("ending a part that was left behind", { pid: part.pid });
      await endProcess({ pid: part.pid, kill: "process" }, pidfd, partGraceMs);
    }
    await endLeftovers(new InstanceRecords(state), log);
    await endGroups(state); // whoever is left without a record
    for (const error of sweepTempMounts(config.root, new Set())) log.warn("temporary mount left behind", { error });
    removeFiles(config);
  } finally {
    locks[Symbol.dispose]();
    removeEmptyState(state);
  }
}

function comesBack(env: NodeJS.ProcessEnv): boolean {
  const result = env["SERVICE_RESULT"];
  return result !== undefined && restartedResults.has(result) && env["EXIT_STATUS"] !== preventedStatus;
}

/** Sockets and notes of a daemon; logs stay. */
function removeFiles({ state, grpc, ttrpc }: Config): void {
  const { socketFolder, hostSocketFolder } = packageFolders(state);
  const sockets = ["admin.sock", "control.sock"].map((name) => join(state, name));
  for (const path of [grpc.address, ttrpc.address, socketFolder, hostSocketFolder, ...sockets]) {
    rmSync(path, { recursive: true, force: true });
  }
  for (const name of leftFiles) rmSync(join(state, name), { force: true });
}
