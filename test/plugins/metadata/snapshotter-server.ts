import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { serve } from "#rpc";
import { faultsFile, type Faults } from "../../fixtures/packages/folder-snapshotter/faults.ts";
import { FolderSnapshots } from "../../fixtures/packages/folder-snapshotter/folder-snapshots.ts";
import { folderService } from "../../fixtures/packages/folder-snapshotter/service.ts";

export interface SnapshotterServer extends AsyncDisposable {
  readonly snapshots: FolderSnapshots;
}

/** A snapshotter below `folder`, on its socket `<name>.sock`. Owns: the server. */
export async function startSnapshotter(folder: string, name: string): Promise<SnapshotterServer> {
  const snapshots = new FolderSnapshots(join(folder, name));
  const server = serve({ services: [folderService(snapshots)] });
  await server.listen(join(folder, `${name}.sock`));
  return { snapshots, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** What goes wrong in a snapshotter's calls from now on. */
export async function setFaults(folder: string, name: string, faults: Faults): Promise<void> {
  await writeFile(join(folder, name, faultsFile), JSON.stringify(faults));
}
