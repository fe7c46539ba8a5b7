/** Run by the chance kills: many callers at once make, commit and remove, and say what is acknowledged, until killed. */
import { openSnapshotter, type SnapshotterName } from "./snapshotter.ts";

const [, , name = "overlayfs", root = "", round = "0"] = process.argv;

const callers = 8;
/** Layers that a caller piles up before it takes them away. */
const depth = 3;

const { snapshotter } = await openSnapshotter(name as SnapshotterName, root);
const say = (line: string) => process.stdout.write(`${line}\n`);
await Promise.all(Array.from({ length: callers }, (_, caller) => pile(caller)));

async function pile(caller: number): Promise<void> {
  for (let turn = 0; ; turn++) {
    const layers: string[] = [];
    for (let level = 0; level < depth; level++) {
      const layer = `${round}-${caller}-${turn}-${level}`;
      await snapshotter.create("active", `${layer}-active`, layers.at(-1) ?? "", {});
      await snapshotter.commit(`${layer}-active`, layer, {});
      say(`there ${layer}`);
      layers.push(layer);
    }
    for (const layer of layers.reverse()) {
      say(`going ${layer}`);
      await snapshotter.remove(layer);
      say(`gone ${layer}`);
    }
    if (turn % 5 === caller % 5) await snapshotter.cleanup();
  }
}
