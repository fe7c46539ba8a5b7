import { rmdirSync } from "node:fs";
import { makeFolderPath } from "#linux";
import type { Config } from "../config/config.ts";
import { makePrivateFolder, privateFolderOf } from "../config/default-paths.ts";
import { describeCause, StartFailure } from "./start-failure.ts";

/** Others may pass through to the sockets, and see nothing. */
const folderMode = 0o711;

type Folders = Pick<Config, "root" | "state" | "temp">;

/** containerd 1.6's checks of root and state, with its texts (`CreateTopLevelDirectories`). Throws StartFailure. */
export function checkFolders({ root, state }: Folders): void {
  if (root === "") throw new StartFailure("root must be specified");
  if (state === "") throw new StartFailure("state must be specified");
  if (root === state) throw new StartFailure("root and state must be different paths");
}

/** Makes root and state (0711), and temp, which also becomes TMPDIR. Throws StartFailure. */
export function makeFolders(folders: Folders, env: NodeJS.ProcessEnv): void {
  makeFolder("root", folders.root);
  makeState(folders.state, env);
  if (folders.temp === undefined || folders.temp === "") return;
  makeFolder("temp", folders.temp);
  env["TMPDIR"] = folders.temp;
}

/** The default without XDG_RUNTIME_DIR stands below the temp folder, where others might have put something. */
function makeState(state: string, env: NodeJS.ProcessEnv): void {
  const parent = privateFolderOf(env);
  if (!state.startsWith(`${parent}/`)) return makeFolder("state", state);
  try {
    makePrivateFolder(parent);
  } catch (error) {
    throw unusableFolder("state", state, error);
  }
  makeFolder("state", state);
}

function makeFolder(key: "root" | "state" | "temp", path: string): void {
  try {
    makeFolderPath(path, folderMode);
  } catch (error) {
    throw unusableFolder(key, path, error);
  }
}

/** Says that a folder cannot be used, why, and what to do. */
export function unusableFolder(key: "root" | "state" | "temp", path: string, error: unknown): StartFailure {
  const flag = key === "temp" ? "" : ` or pass --${key}`;
  const advice = `make it writable for this user, or set "${key}" in the config${flag} to another folder`;
  return new StartFailure(`cannot use ${key} folder ${path}: ${describeCause(error)}; ${advice}`, { cause: error });
}

/** Removes the state folder when nothing is left in it. */
export function removeEmptyState(state: string): void {
  try {
    rmdirSync(state);
  } catch {
    // Not empty, not there, or a mount point: it stays.
  }
}
