import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A fresh folder below the system's temp folder. Owns: the folder and all in it. */
export interface TempFolder extends AsyncDisposable {
  readonly path: string;
  join(...parts: string[]): string;
}

/** Makes one; the name is short, since socket paths may have 104 bytes only. */
export async function makeTempFolder(name = "t"): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), `bh-${name}-`));
  return {
    path,
    join: (...parts) => join(path, ...parts),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}
