import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { isAbsolute, join } from "node:path";
import { HostError } from "#proto/wire/errors.ts";
import { uriOf, type Manifest } from "../config/manifest.ts";
import { tasksPackage } from "../config/tasks-rule.ts";
import { identityOf, type Identity } from "./accounts.ts";
import { withLaunchPrefix } from "./launch-prefix.ts";
import { readyFd, ttrpcFd } from "./package-process.ts";
import { checkIdentity, type Privileges } from "./privileges.ts";

/** What every launch on this host shares. */
export interface LaunchHost {
  readonly root: string;
  readonly state: string;
  /** Folder of the packages' sockets, `<folder>/<package>/`; short enough for any package name. */
  readonly socketFolder: string;
  /** Folder of the packages' host sockets, `<folder>/<package>.sock`. */
  readonly hostSocketFolder: string;
  /** The daemon's own environment. */
  readonly env: NodeJS.ProcessEnv;
  readonly logLevel: string;
  /** Bytes of one gRPC message that packages take and send. */
  readonly maxRecvMessageBytes: number;
  readonly maxSendMessageBytes: number;
  readonly privileges: Privileges;
  /** What children get instead of the daemon's score; undefined: leave it. */
  readonly childOomScoreAdj: number | undefined;
  /** Command that runs a `main` module: node, flags, plugin-host's entry. */
  readonly pluginHostCommand: readonly string[];
}

/** Where one instance lives. */
export interface InstancePaths {
  readonly socket: string;
  readonly hostSocket: string;
  readonly configFile: string;
  readonly logFile: string;
  /** Peers are told this one; it points at the ready generation. */
  readonly stableSocket: string;
}

/** Paths of one generation. */
export function instancePaths(host: LaunchHost, name: string, generation: number): InstancePaths {
  return {
    socket: join(host.socketFolder, name, `${generation}.sock`),
    stableSocket: join(host.socketFolder, name, "peer.sock"),
    hostSocket: hostSocketOf(host, name),
    configFile: join(host.socketFolder, name, `${generation}.json`),
    logFile: join(host.state, "log", `${name}.${generation}`),
  };
}

/** The package's own socket to the host. */
export function hostSocketOf(host: LaunchHost, name: string): string {
  return join(host.hostSocketFolder, `${name}.sock`);
}

/** Who the package's processes run as; undefined: the daemon's user. Throws for an account that is not known. */
export function packageIdentity(host: LaunchHost, manifest: Manifest): Identity | undefined {
  if (!host.privileges.isRoot) return undefined;
  checkIdentity(manifest, host.privileges);
  return identityOf(manifest);
}

/** Whose the package's sockets are; undefined: the daemon's, or an account that its start will complain of. */
export function socketOwner(host: LaunchHost, manifest: Manifest): { uid: number; gid: number } | undefined {
  try {
    const identity = packageIdentity(host, manifest);
    return identity && { uid: identity.uid, gid: identity.gid };
  } catch {
    return undefined;
  }
}

/**
 * Makes the package's folders and writes its config file; `configJson` holds resolved secrets. A package with a user
 * of its own could make none of its data folders itself, so it is given them.
 */
export function prepareFolders(
  host: LaunchHost,
  manifest: Manifest,
  paths: InstancePaths,
  configJson: string,
  owner: Identity | undefined,
): void {
  const folder = join(host.socketFolder, manifest.name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  rmSync(paths.socket, { force: true });
  rmSync(paths.configFile, { force: true });
  writeFileSync(paths.configFile, configJson, { mode: 0o400 });
  if (owner === undefined) return;
  const names = [manifest.name, ...(manifest.tier === "native" ? manifest.plugins.map(uriOf) : [])];
  const data = names.flatMap((name) => [join(host.root, name), join(host.state, name)]);
  for (const path of data) mkdirSync(path, { recursive: true, mode: 0o700 });
  for (const path of [folder, paths.configFile, ...data]) chownSync(path, owner.uid, owner.gid);
}

/** The environment of a package, from empty (plugin contract, section 3). */
export function packageEnvironment(
  host: LaunchHost,
  manifest: Manifest,
  paths: InstancePaths,
  generation: number,
): Record<string, string> {
  const inherited = manifest.inheritEnv ? host.env : pick(host.env, inheritedNames);
  const env: Record<string, string> = {};
  for (const [key, value] of Object.entries(inherited))
    if (value !== undefined && !withheld.test(key)) env[key] = value;
  return {
    ...env,
    ...(manifest.main === undefined ? {} : { MALLOC_ARENA_MAX: "2", ...pick(host.env, ["NODE_COMPILE_CACHE"]) }),
    ...manifest.env,
    BULKHEAD_PACKAGE: manifest.name,
    BULKHEAD_PACKAGE_DIR: manifest.folder,
    BULKHEAD_GENERATION: String(generation),
    BULKHEAD_SOCKET: paths.socket,
    BULKHEAD_HOST: `unix:${paths.hostSocket}`,
    BULKHEAD_CONFIG: paths.configFile,
    BULKHEAD_ROOT: join(host.root, manifest.name),
    BULKHEAD_STATE: join(host.state, manifest.name),
    BULKHEAD_LOG_LEVEL: host.logLevel,
    BULKHEAD_MAX_RECV_MESSAGE_BYTES: String(host.maxRecvMessageBytes),
    BULKHEAD_MAX_SEND_MESSAGE_BYTES: String(host.maxSendMessageBytes),
    ...(manifest.readiness.by === "fd" ? { BULKHEAD_READY_FD: String(readyFd) } : {}),
    ...(manifest.listen.includes("ttrpc") ? { BULKHEAD_LISTEN_TTRPC_FD: String(ttrpcFd) } : {}),
  };
}

/**
 * The whole command line, prefix included; `cgroupFiles` are what it enters its cgroup by. Throws not-found when the
 * program is nowhere.
 */
export function packageCommand(
  host: LaunchHost,
  manifest: Manifest,
  env: Readonly<Record<string, string>>,
  identity: Identity | undefined,
  cgroupFiles: readonly string[],
): string[] {
  const words =
    manifest.command === undefined
      ? [...host.pluginHostCommand, manifest.main ?? "index.ts"]
      : expandCommand(manifest, env, host);
  const settings = {
    identity,
    noNewPrivileges: manifest.noNewPrivileges,
    nofile: manifest.limits.nofile,
    coreBytes: manifest.limits.coreBytes,
    cgroupFiles,
    // Shims set their own by their parent's, as they do under containerd.
    oomScoreAdj: manifest.name === tasksPackage ? undefined : host.childOomScoreAdj,
  };
  return withLaunchPrefix(words, settings, host.privileges.setpriv);
}

function expandCommand(manifest: Manifest, env: Readonly<Record<string, string>>, host: LaunchHost): string[] {
  const variables: Readonly<Record<string, string | undefined>> = {
    socket: env["BULKHEAD_SOCKET"],
    root: env["BULKHEAD_ROOT"],
    state: env["BULKHEAD_STATE"],
    host: env["BULKHEAD_HOST"],
    config: env["BULKHEAD_CONFIG"],
    package: manifest.name,
    os: "linux",
    arch: process.arch === "x64" ? "amd64" : process.arch,
  };
  const [program = "", ...args] = (manifest.command ?? []).map((word) =>
    word.replace(/\$\{(\w+)\}/g, (whole, name: string) => variables[name] ?? whole),
  );
  return [findProgram(program, manifest, host), ...args];
}

function findProgram(program: string, manifest: Manifest, host: LaunchHost): string {
  if (isAbsolute(program)) return requireFile(program, manifest);
  if (program.includes("/")) return requireFile(join(manifest.folder, program), manifest);
  const folders = [manifest.folder, ...(host.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin").split(":")];
  const found = folders.map((folder) => join(folder, program)).find(isExecutable);
  if (found !== undefined) return found;
  throw new HostError("not-found", `command "${program}" is neither in ${manifest.folder} nor in PATH`);
}

function requireFile(path: string, manifest: Manifest): string {
  if (existsSync(path)) return path;
  throw new HostError(
    "not-found",
    `command ${path} does not exist: see command in ${join(manifest.folder, "plugin.yaml")}`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const inheritedNames = [
  "PATH",
  "HOME",
  "LANG",
  "TZ",
  "TMPDIR",
  ...["http_proxy", "https_proxy", "no_proxy", "all_proxy"].flatMap((name) => [name, name.toUpperCase()]),
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
];

/** Never passed on, not even with `inheritEnv`. */
const withheld = /^(NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*|NODE_OPTIONS|LD_PRELOAD|BULKHEAD_.*)$/;

function pick(env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}
