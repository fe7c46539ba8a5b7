/**
 * Run by the kill tests: carries out operations one after another, says which are acknowledged, and ends by SIGKILL at
 * the n-th step of all, or lives on idle after so many operations.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { MountSchema } from "#proto/gen/containerd/types/types_pb.ts";
import { openSnapshotter, writableFolder, type SnapshotterName } from "./snapshotter.ts";
import { operations, type Operation } from "./kill-operations.ts";
import type { Snapshotter } from "../../../plugins/shared/snapshots/snapshotter.ts";

const [, , name = "overlayfs", root = "", fatalStep = "0", idleAfter = "0"] = process.argv;

let steps = 0;
const { snapshotter } = await openSnapshotter(name as SnapshotterName, root, () => {
  steps++;
  if (steps === Number(fatalStep)) process.kill(process.pid, "SIGKILL");
});
for (const [index, operation] of operations.entries()) {
  await carryOut(snapshotter, operation);
  process.stdout.write(`acknowledged ${index}\n`);
  if (index + 1 === Number(idleAfter)) await new Promise(() => setInterval(() => {}, 1_000_000));
}
process.stdout.write(`steps ${steps}\n`);
process.exit(0);

async function carryOut(to: Snapshotter, operation: Operation): Promise<void> {
  switch (operation.method) {
    case "prepare":
    case "view": {
      const kind = operation.method === "view" ? "view" : "active";
      const [mount] = await to.create(kind, operation.key, operation.parent, {});
      if (kind === "active" && mount !== undefined) {
        const folder = writableFolder(root, create(MountSchema, mount));
        writeFileSync(join(folder, operation.key), operation.key, { flush: true });
      }
      return;
    }
    case "commit":
      await to.commit(operation.key, operation.name, {});
      return;
    case "remove":
      await to.remove(operation.key);
  }
}
