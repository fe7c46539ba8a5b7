import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for the images of one checkpoint. Owns: the folder. */
export interface CheckpointFolder extends Disposable {
  readonly path: string;
}

/** Makes one where containerd makes them. */
export function makeCheckpointFolder(): CheckpointFolder {
  const path = mkdtempSync(join(process.env["XDG_RUNTIME_DIR"] ?? tmpdir(), "bulkhead-checkpoint-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
