import { existsSync } from "node:fs";
import type { Identity } from "./accounts.ts";

/** What is set before the binary's first instruction. */
export interface LaunchSettings {
  /** Undefined: the daemon's. */
  readonly identity: Identity | undefined;
  readonly noNewPrivileges: boolean;
  /** Open files; undefined: the daemon's limit. */
  readonly nofile: number | undefined;
  /** Core dump size in bytes; undefined: the daemon's limit. */
  readonly coreBytes: number | undefined;
  /** Files that the process writes its pid into, so that it starts inside of its cgroup. */
  readonly cgroupFiles: readonly string[];
  /** What it gets instead of the daemon's OOM score; undefined: leave it. */
  readonly oomScoreAdj: number | undefined;
}

/**
 * Values come as positional arguments only: nothing is ever interpolated into the script. A process that cannot enter
 * its cgroup must not run: it would be without its limits, and escape the kill.
 */
const script = [
  "umask 022",
  '[ -z "$1" ] || echo "$1" 2>/dev/null >/proc/self/oom_score_adj || :',
  '[ -z "$2" ] || ulimit -n "$2"',
  '[ -z "$3" ] || ulimit -c "$3"',
  "cgroups=$4",
  "shift 4",
  'while [ "$cgroups" -gt 0 ]; do',
  '  echo "$$" >"$1" || { echo "bulkhead: cannot enter cgroup $1: is it still there?" >&2; exit 126; }',
  "  shift",
  "  cgroups=$((cgroups - 1))",
  "done",
  'exec "$@"',
].join("\n");

const setprivPaths = ["/usr/bin/setpriv", "/bin/setpriv"];

/** Path of setpriv; undefined where the machine has none. */
export function findSetpriv(): string | undefined {
  return setprivPaths.find((path) => existsSync(path));
}

/**
 * The command with its fixed prefix: a shell that sets umask, OOM score and limits and enters the cgroup, then setpriv
 * for user, groups and no_new_privs.
 */
export function withLaunchPrefix(
  command: readonly string[],
  settings: LaunchSettings,
  setpriv: string | undefined,
): string[] {
  const { nofile, coreBytes, cgroupFiles, oomScoreAdj } = settings;
  const coreBlocks = coreBytes === undefined ? "" : String(Math.floor(coreBytes / 512));
  const values = [oomScoreAdj?.toString() ?? "", nofile?.toString() ?? "", coreBlocks];
  const cgroups = [String(cgroupFiles.length), ...cgroupFiles];
  const words = [...values, ...cgroups, ...privilegeWords(settings, setpriv), ...command];
  return ["/bin/sh", "-c", script, "bulkhead-launch", ...words];
}

function privilegeWords({ identity, noNewPrivileges }: LaunchSettings, setpriv: string | undefined): string[] {
  const words: string[] = [];
  if (identity !== undefined) {
    const { uid, gid, groups } = identity;
    words.push(`--reuid=${uid}`, `--regid=${gid}`);
    words.push(groups.length > 0 ? `--groups=${groups.join(",")}` : "--clear-groups");
  }
  if (noNewPrivileges) words.push("--no-new-privs");
  return words.length === 0 || setpriv === undefined ? [] : [setpriv, ...words, "--"];
}
