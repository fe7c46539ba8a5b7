import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { isLinuxError, unmount, unmountFlags } from "#linux";
import { HostError } from "bulkhead/plugin";
import { validateTaskId } from "./task-id.ts";
import { hostGroupOfRoot } from "./user-namespace.ts";

/** Folders that all bundles are below, `<folder>/<namespace>/<id>`. */
export interface BundleRoots {
  /** Volatile; the bundles themselves. */
  readonly state: string;
  /** Persistent; what runtimes keep in `work`. */
  readonly root: string;
  /** Whether the bundle points to its work folder; runtime v1's does not. */
  readonly linksWork: boolean;
}

export interface BundleName {
  readonly namespace: string;
  readonly id: string;
}

/**
 * The folder that a shim works in (containerd runtime/v2/bundle.go), laid out as containerd's, so that its shims find
 * what they know. Owns: the bundle folder, the work folder, and what is mounted on `rootfs`.
 */
export class Bundle {
  readonly namespace: string;
  readonly id: string;
  readonly path: string;
  /** Folder that outlives a reboot. */
  readonly work: string;

  constructor(roots: BundleRoots, { namespace, id }: BundleName) {
    this.namespace = namespace;
    this.id = id;
    this.path = join(roots.state, namespace, id);
    this.work = join(roots.root, namespace, id);
  }

  /** Makes one with `spec` as its config.json. Throws unknown `mkdir …: file exists`, resource-exhausted. */
  static create(roots: BundleRoots, name: BundleName, spec: Uint8Array | undefined): Bundle {
    validateTaskId(name.id);
    const bundle = new Bundle(roots, name);
    attempt(() => {
      mkdirSync(dirname(bundle.path), { recursive: true, mode: 0o711 });
      mkdirSync(bundle.path, { mode: 0o700 });
    });
    try {
      attempt(() => bundle.#fill(spec, roots));
    } catch (error) {
      bundle.delete();
      throw error;
    }
    return bundle;
  }

  /** A file's path. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** A file's text without the space around it; undefined: there is none. */
  readText(name: string): string | undefined {
    try {
      const text = readFileSync(this.file(name), "utf8").trim();
      return text === "" ? undefined : text;
    } catch {
      return undefined;
    }
  }

  /** Writes a file that only root may read. */
  writeText(name: string, text: string): void {
    attempt(() => writeFileSync(this.file(name), text, { mode: 0o600 }));
  }

  /** Takes away mounts and folders; the rename first, so that a half removed bundle is not taken for one. */
  delete(): void {
    removeRootfs(this.file("rootfs"));
    removeFolder(this.path);
    removeFolder(this.work);
  }

  #fill(spec: Uint8Array | undefined, { linksWork }: BundleRoots): void {
    const group = hostGroupOfRoot(spec);
    if (group !== 0) {
      chownSync(this.path, -1, group);
      chmodSync(this.path, 0o710);
    }
    mkdirSync(this.file("rootfs"), { mode: 0o711 });
    mkdirSync(dirname(this.work), { recursive: true, mode: 0o711 });
    rmSync(this.work, { recursive: true, force: true });
    mkdirSync(this.work, { mode: 0o711 });
    if (linksWork) symlinkSync(this.work, this.file("work"));
    if (spec !== undefined) writeFileSync(this.file("config.json"), spec, { mode: 0o666 });
  }
}

/** Removes a folder that may be looked at meanwhile: names that begin with a dot are nobody's. */
export function removeFolder(path: string): void {
  const aside = join(dirname(path), `.${path.slice(dirname(path).length + 1)}`);
  rmSync(aside, { recursive: true, force: true });
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  rmSync(aside, { recursive: true, force: true });
}

/** Nothing below a mount point may be removed: what is mounted there is somebody's snapshot. */
export function removeRootfs(path: string): void {
  for (;;) {
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "EBUSY" && code !== "ENOTEMPTY") throw error;
      if (!unmountOne(path)) throw new HostError("unknown", `failed to remove bundle rootfs: ${String(error)}`);
    }
  }
}

/** Whether there was a mount to take away. */
function unmountOne(path: string): boolean {
  try {
    unmount(path, unmountFlags.nofollow);
    return true;
  } catch (error) {
    if (isLinuxError(error, "EINVAL")) return false;
    throw new HostError("unknown", `unmount rootfs ${path}: ${(error as Error).message}`, { cause: error });
  }
}

const goTexts: Readonly<Record<string, string>> = {
  EEXIST: "file exists",
  ENAMETOOLONG: "file name too long",
  EROFS: "read-only file system",
};

/** Failures in Go's words; a full disk has a class of its own. */
function attempt(work: () => void): void {
  try {
    work();
  } catch (cause) {
    const { code = "", syscall = "", path = "" } = cause as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT") {
      const text = `${syscall} ${path}: no space left on device; free some space and try again`;
      throw new HostError("resource-exhausted", text, { cause });
    }
    const text = goTexts[code];
    if (text === undefined) throw cause;
    throw new HostError("unknown", `${syscall} ${path}: ${text}`, { cause });
  }
}
