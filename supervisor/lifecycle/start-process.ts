import type { Manifest } from "../config/manifest.ts";
import type { Log } from "../log.ts";
import type { InstanceCgroup } from "../process/cgroup/instance-cgroup.ts";
import { DataVersions } from "../process/data-versions.ts";
import {
  packageCommand,
  packageEnvironment,
  packageIdentity,
  prepareFolders,
  type InstancePaths,
  type LaunchHost,
} from "../process/launch.ts";
import { OutputLog } from "../process/output-log.ts";
import { PackageProcess } from "../process/package-process.ts";

/** One generation of a package that is to run. */
export interface StartRequest {
  readonly manifest: Manifest;
  readonly generation: number;
  readonly launch: LaunchHost;
  readonly paths: InstancePaths;
  /** Text of its config file, secrets resolved. */
  readonly configJson: string;
  readonly cgroup: InstanceCgroup | undefined;
  readonly ttrpcListenerFd: number | undefined;
  readonly log: Log;
}

/** Prepares its folders and starts it. Throws when the command is nowhere, or the system cannot start it. */
export function startProcess(request: StartRequest): PackageProcess {
  const { manifest, generation, launch, paths, configJson, cgroup, ttrpcListenerFd } = request;
  const env = packageEnvironment(launch, manifest, paths, generation);
  const identity = packageIdentity(launch, manifest);
  const command = packageCommand(launch, manifest, env, identity, cgroup?.procsFiles ?? []);
  prepareFolders(launch, manifest, paths, configJson, identity);
  new DataVersions(launch.root).record(manifest);
  const log = request.log.child({ plugin: manifest.name });
  return PackageProcess.start({
    command,
    cwd: manifest.folder,
    env,
    output: new OutputLog(paths.logFile, (line) => log.relay(line)),
    readyByFd: manifest.readiness.by === "fd",
    ttrpcListenerFd: manifest.listen.includes("ttrpc") ? ttrpcListenerFd : undefined,
    kill: manifest.stop.kill,
  });
}
