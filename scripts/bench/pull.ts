import { ctr } from "../../test/harness/ctr.ts";
import { startDockerRegistry } from "../../test/harness/docker-registry.ts";
import { startStock } from "../../test/harness/stock-daemon.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { makeArchive } from "./image-archive.ts";
import { makeImageLayers } from "./layers.ts";
import type { Report } from "./report.ts";
import { startSides } from "./sides.ts";
import { measureWholeWay } from "./whole-way.ts";

const pushMs = 120_000;

/** Pulls with the stock client from a registry on loopback, an image of its own a round. */
export async function measurePull({ rounds }: { readonly rounds: number }): Promise<Report> {
  await using folder = await makeTempFolder("p");
  await using registry = await startDockerRegistry();
  const references = await pushImages(folder.path, registry.host, rounds);
  await using stack = new AsyncDisposableStack();
  const sides = await startSides(stack);
  const pulls = references.map((reference) => ["image", "pull", "--plain-http", reference]);
  return { rows: await measureWholeWay("pull of the 300 MB", pulls, sides) };
}

/** Fills the registry; gives what is to be pulled. */
async function pushImages(folder: string, host: string, count: number): Promise<string[]> {
  await using pusher = await startStock();
  const run = async (...args: readonly string[]) => {
    const { code, stderr } = await ctr(pusher.address, ["image", ...args], { ms: pushMs });
    if (code !== 0) throw new Error(`ctr image ${args.join(" ")}: ${stderr}`);
  };
  const layers = await makeImageLayers(folder);
  const references: string[] = [];
  for (let number = 0; number < count; number++) {
    const { path, image } = await makeArchive(folder, layers, number);
    const reference = `${host}/bench:${number}`;
    await run("import", "--no-unpack", path);
    await run("push", "--plain-http", reference, image);
    references.push(reference);
  }
  return references;
}
