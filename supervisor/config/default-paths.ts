import { lstatSync } from "node:fs";
import { join } from "node:path";
import { makeFolderPath } from "#linux";

/** Where things are when neither config nor flags say. */
export interface DefaultPaths {
  readonly configFile: string;
  readonly root: string;
  readonly state: string;
}

/** Main socket's name in the state folder. */
export const mainSocketName = "bulkhead.sock";

/**
 * containerd's layout under our name; without root privileges the XDG folders (basedir-spec). Without
 * XDG_RUNTIME_DIR the state is `run` in a 0700 folder of the user below the temp folder (`privateFolderOf`).
 */
export function defaultPaths({ privileged, env }: { privileged: boolean; env: NodeJS.ProcessEnv }): DefaultPaths {
  if (privileged) {
    return { configFile: "/etc/bulkhead/config.yaml", root: "/var/lib/bulkhead", state: "/run/bulkhead" };
  }
  const home = absolute(env["HOME"]) ?? "/";
  const config = absolute(env["XDG_CONFIG_HOME"]) ?? join(home, ".config");
  const data = absolute(env["XDG_DATA_HOME"]) ?? join(home, ".local/share");
  const runtime = absolute(env["XDG_RUNTIME_DIR"]);
  return {
    configFile: join(config, "bulkhead/config.yaml"),
    root: join(data, "bulkhead"),
    state: runtime === undefined ? join(privateFolderOf(env), "run") : join(runtime, "bulkhead"),
  };
}

/** The user's own folder below the temp folder; only a name, see `makePrivateFolder`. */
export function privateFolderOf(env: NodeJS.ProcessEnv): string {
  return join(absolute(env["TMPDIR"]) ?? "/tmp", `bulkhead-${process.geteuid?.() ?? 0}`);
}

/**
 * Makes a folder that only this user may enter, or checks the one that is there: others can write to the temp folder
 * and may have put something in its place. Throws an Error that says what to do.
 */
export function makePrivateFolder(path: string): void {
  makeFolderPath(path, 0o700);
  const { mode, uid } = lstatSync(path);
  const isOurs = (mode & 0o170000) === 0o040000 && uid === process.geteuid?.() && (mode & 0o077) === 0;
  if (!isOurs) throw new Error(`${path} is not a folder of this user alone (0700); remove it or set XDG_RUNTIME_DIR`);
}

/** XDG and temp variables that are not absolute are to be ignored (basedir-spec). */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith("/") === true ? path : undefined;
}
