import { closeSync, rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { makeFolderPath, unixListen } from "#linux";
import { backlog } from "./listeners.ts";
import type { ControlToHolder } from "./messages.ts";
import { describeCause } from "./start-failure.ts";

const folderMode = 0o711;
/** The socket is the package's identity, so nobody else may connect. */
const socketMode = 0o600;

export type HostSocketRequest = Extract<ControlToHolder, { type: "bind-host-socket" }>;

/** A package's own listener. */
export interface HostListener {
  readonly package: string;
  readonly path: string;
  readonly fd: number;
}

/**
 * The listeners packages call the host through. They outlive router and control: a call meanwhile waits in the
 * backlog. Owns: the descriptors and the socket files.
 */
export class HostSockets implements Disposable {
  readonly #listeners = new Map<string, HostListener>();

  /** Binds one; asked again (by a new control) for the same path, gives the one there is. Throws LinuxError. */
  bind(request: HostSocketRequest): { readonly listener: HostListener; readonly isNew: boolean } {
    const present = this.#listeners.get(request.package);
    if (present?.path === request.path) return { listener: present, isNew: false };
    if (present !== undefined) this.#remove(present);
    makeFolderPath(dirname(request.path), folderMode);
    const { uid, gid } = request;
    const owner = uid === undefined && gid === undefined ? undefined : { uid: uid ?? -1, gid: gid ?? -1 };
    const fd = unixListen(request.path, { backlog, mode: socketMode, owner });
    const listener = { package: request.package, path: request.path, fd };
    this.#listeners.set(request.package, listener);
    return { listener, isNew: true };
  }

  /** Takes over one that a router kept through its holder's death. */
  adopt(listener: HostListener): void {
    this.#listeners.set(listener.package, listener);
  }

  /** All of them, for a new router. */
  all(): readonly HostListener[] {
    return [...this.#listeners.values()];
  }

  [Symbol.dispose](): void {
    const folders = new Set(this.all().map(({ path }) => dirname(path)));
    for (const listener of this.all()) this.#remove(listener);
    // With a deep state they stand in a short folder made for them, whose parent is ours, too.
    for (const folder of folders) for (const empty of [folder, dirname(folder)]) removeIfEmpty(empty);
  }

  #remove({ package: name, path, fd }: HostListener): void {
    this.#listeners.delete(name);
    rmSync(path, { force: true });
    closeSync(fd);
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Not empty: it stays.
  }
}

/** Why a bind failed, for the package's status. */
export function describeBindFailure(error: unknown): string {
  return describeCause(error);
}
