import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface ExecName {
  readonly namespace: string;
  readonly id: string;
  readonly execId: string;
}

/**
 * Starts of execs that were begun and have not succeeded, a file each. runc's shim ends every call whose connection ends,
 * and dies, with its container, of an exec that is started again after a start that failed (containerd
 * pkg/process/exec.go closes its wait channel twice): so nothing that stands here is ever started again, not by a later
 * generation either. Owns: its folder.
 */
export class BegunStarts {
  readonly #folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
  }

  /** To be called before the shim is asked. Throws when it cannot be written: then nothing may be started. */
  begin(name: ExecName): void {
    const folder = this.#of(name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, name.execId), "", { mode: 0o600 });
  }

  /** It was started, or is deleted. */
  end(name: ExecName): void {
    rmSync(join(this.#of(name), name.execId), { force: true });
  }

  /** The task is gone. */
  endAll(task: Omit<ExecName, "execId">): void {
    rmSync(this.#of(task), { recursive: true, force: true });
  }

  /** Execs of a task whose start failed, or was cut off when a generation ended. */
  of(task: Omit<ExecName, "execId">): string[] {
    try {
      return readdirSync(this.#of(task));
    } catch {
      return [];
    }
  }

  #of({ namespace, id }: Omit<ExecName, "execId">): string {
    return join(this.#folder, namespace, id);
  }
}
