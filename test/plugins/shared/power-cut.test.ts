import { join } from "node:path";
import { test } from "node:test";
import { Child } from "../../harness/child.ts";
import { mountExt4, skipWithoutExt4 } from "../../harness/ext4-disk.ts";
import { operations } from "./kill-operations.ts";
import { checkSurvivor } from "./survivors.ts";

const skip = skipWithoutExt4();
const program = join(import.meta.dirname, "crash-snapshotter.ts");

for (const name of ["overlayfs", "native"] as const) {
  test(`${name}: a power cut loses nothing that was acknowledged`, { skip, timeout: 300_000 }, async (t) => {
    await using disk = await mountExt4();
    for (let count = 1; count <= operations.length; count++) {
      const root = join(disk.path, `${count}`);
      {
        await using child = new Child(process.execPath, [program, name, root, "0", `${count}`]);
        await child.output.waitForNth(/^acknowledged /, count);
        disk.cutPower();
      }
      await disk.restore();
      await t.test(`after ${count} operations`, () => checkSurvivor(name, root, count));
    }
  });
}
