import { join } from "node:path";
import { Lock, LockHeldError } from "#linux";
import type { Config } from "../config/config.ts";
import { unusableFolder } from "./folders.ts";
import { StartFailure } from "./start-failure.ts";

/** File that is locked in root and in state for as long as a daemon lives. */
export const lockName = "bulkhead.lock";

/**
 * The exclusive locks on root and state. They alone say whether a daemon lives; no child inherits them.
 * Owns: both locks.
 */
export class DaemonLocks implements Disposable {
  readonly #stack = new DisposableStack();

  private constructor() {}

  /** Takes both at once or throws StartFailure, which says who holds one. */
  static acquire({ root, state }: Pick<Config, "root" | "state">, now: Date): DaemonLocks {
    const text = `pid ${process.pid}, since ${now.toISOString()}`;
    const locks = new DaemonLocks();
    try {
      locks.#stack.use(acquireOne("root", root, text));
      locks.#stack.use(acquireOne("state", state, text));
      return locks;
    } catch (error) {
      locks[Symbol.dispose]();
      throw error;
    }
  }

  /** Gives both back and removes their files. */
  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

function acquireOne(key: "root" | "state", folder: string, text: string): Lock {
  try {
    return Lock.acquire(join(folder, lockName), text);
  } catch (error) {
    if (!(error instanceof LockHeldError)) throw unusableFolder(key, folder, error);
    const holder = error.holder === "" ? "" : ` (${error.holder})`;
    throw new StartFailure(
      `another bulkhead daemon${holder} runs on ${key} folder ${folder}: stop it, ` +
        "or give this one its own folders with --root and --state",
      { cause: error },
    );
  }
}
