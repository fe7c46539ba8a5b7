import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { ProcessName } from "./tombstones.ts";

type TaskName = Omit<ProcessName, "execId">;

/** The file of a task's first process: no exec's name begins with a dot. */
const firstProcess = ".init";

/**
 * Starts that were begun and have not succeeded, a file each. runc's shim ends every call whose connection ends, and with
 * it runc in the middle of a start; another start of the same process may then end the shim (an exec: containerd
 * pkg/process/exec.go closes its wait channel twice) or hang it (see first-start.ts). So what stands here is not simply
 * started again, not by a later generation either. Owns: its folder.
 */
export class BegunStarts {
  readonly #folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
  }

  /**
   * To be called before the shim is asked; `note` is for who finds it. Throws when it cannot be written: then nothing
   * may be started.
   */
  begin(name: ProcessName, note = ""): void {
    mkdirSync(this.#of(name), { recursive: true, mode: 0o700 });
    writeFileSync(this.#file(name), note, { mode: 0o600 });
  }

  /** It was started, or is deleted. */
  end(name: ProcessName): void {
    rmSync(this.#file(name), { force: true });
  }

  /** The task is gone. */
  endAll(task: TaskName): void {
    rmSync(this.#of(task), { recursive: true, force: true });
  }

  /** Execs of a task whose start failed, or was cut off when a generation ended. */
  execsOf(task: TaskName): string[] {
    try {
      return readdirSync(this.#of(task)).filter((name) => name !== firstProcess);
    } catch {
      return [];
    }
  }

  /** The note of the same for a task's first process; undefined: there is none. */
  firstOf(task: TaskName): string | undefined {
    try {
      return readFileSync(this.#file({ ...task, execId: "" }), "utf8");
    } catch {
      return undefined;
    }
  }

  #of({ namespace, id }: TaskName): string {
    return join(this.#folder, namespace, id);
  }

  #file(name: ProcessName): string {
    return join(this.#of(name), name.execId === "" ? firstProcess : name.execId);
  }
}
