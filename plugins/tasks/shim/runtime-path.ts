import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { HostError } from "bulkhead/plugin";
import { quote } from "#proto/wire/identifiers.ts";

export interface SearchPlaces {
  /** PATH, as of now. */
  readonly path: string;
  /** Folder of the daemon's own program, the last resort. */
  readonly daemonFolder: string;
}

/**
 * The program of a runtime: an absolute path as it is, of `a.b.NAME.VERSION` the program `containerd-shim-NAME-VERSION`
 * (containerd runtime/v2/manager.go). Unlike containerd's it is never looked for in a working directory. Throws unknown,
 * as containerd does.
 */
export function resolveRuntime(runtime: string, places: SearchPlaces): string {
  if (runtime === "") throw failure("no runtime name");
  if (isAbsolute(runtime)) {
    if (exists(runtime)) return runtime;
    throw failure(`invalid custom binary path: stat ${runtime}: no such file or directory`);
  }
  const name = runtime.includes("/") ? undefined : shimName(runtime);
  if (name === undefined) {
    const expected =
      "correct runtime name should be either format like `io.containerd.runc.v1` or a full path to the binary";
    throw failure(`invalid runtime name ${runtime}, ${expected}`);
  }
  const found = findShim(name, places.path) ?? [join(places.daemonFolder, name)].find(exists);
  if (found !== undefined) return found;
  throw failure(`runtime ${quote(runtime)} binary not installed ${quote(name)}: file does not exist`);
}

/** `containerd-shim-NAME-VERSION`; undefined: the runtime's name has fewer than two parts. */
function shimName(runtime: string): string | undefined {
  const parts = runtime.split(".");
  const [name, version] = parts.slice(-2);
  return parts.length < 2 ? undefined : `containerd-shim-${name}-${version}`;
}

/** A program by its path, or by its name in PATH; undefined: it is not installed. */
export function findShim(name: string, path: string): string | undefined {
  if (isAbsolute(name)) return isProgram(name) ? name : undefined;
  return path
    .split(":")
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, name))
    .find(isProgram);
}

function failure(message: string): HostError {
  return new HostError("unknown", `failed to resolve runtime path: ${message}`);
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
