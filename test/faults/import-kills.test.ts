import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { patternBytes } from "../differential/blobs.ts";
import { numbersFrom } from "../differential/chance.ts";
import { archiveIn, writeOciArchive } from "../differential/image-archives.ts";
import { oddLayers } from "../differential/odd-layers.ts";
import { readMadeTree } from "../differential/unpacked.ts";
import { mountBtrfs, skipWithoutBtrfs } from "../harness/btrfs-disk.ts";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { ctr, type CtrResult } from "../harness/ctr.ts";
import { scaled } from "../harness/deadline.ts";
import { collectAll } from "../harness/images/remains.ts";
import { walkImages } from "../harness/images/walk.ts";
import { skipWithout } from "../harness/peers.ts";
import { listPlugins } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";
import type { EntryFacts } from "../harness/tree-facts.ts";
import { tarOf } from "../plugins/differ/tar-builder.ts";

type Snapshotter = "overlayfs" | "native" | "btrfs";

/** Imports after a kill before it counts as lost; each may meet a package that is about to start again. */
const retries = 5;
const stormMs = 900_000;
const image = "example.com/odd:1";
const namespace = "kills";
const skip = skipWithout({ peers: ["containerd"], root: true });

/** Enough files and bytes that every part of an import takes a while. */
const manyFiles = tarOf([
  ...Array.from({ length: 400 }, (_, index) => ({ name: `many/${index}`, data: patternBytes(4000, `${index}`) })),
  { name: "large", data: patternBytes(8_000_000) },
]);

/** What is killed in turn, and how often in all. */
const storms: readonly { readonly snapshotter: Snapshotter; readonly kills: number; readonly skip: string | false }[] =
  [
    { snapshotter: "overlayfs", kills: 30, skip },
    { snapshotter: "native", kills: 8, skip },
    { snapshotter: "btrfs", kills: 4, skip: skip || skipWithoutBtrfs() },
  ];

for (const { snapshotter, kills, skip: skipped } of storms) {
  test(`an import on ${snapshotter} whose packages are killed at random moments succeeds when tried again, and leaves nothing behind`, {
    skip: skipped,
    timeout: stormMs,
  }, async () => {
    await using work = await makeTempFolder("ik");
    await using disk = snapshotter === "btrfs" ? await mountBtrfs() : undefined;
    const victims = ["metadata", "content", "differ", snapshotter];
    // A storm is no reason here to give a package up.
    const packages = victims.map((name) => `${name}: { restart: { intensity: 0 } }`).join(", ");
    const args = disk === undefined ? [] : ["--root", join(disk.path, "root")];
    await using daemon = await startBulkhead({ config: `packages: { ${packages} }\n`, args });
    const root = args[1] ?? daemon.root;
    const imports = await ImportStorm.begin({ ...daemon, root }, snapshotter, work.path);
    await imports.run(victims, scaled(kills));
    await daemon.stop();
    assert.deepEqual(await walkImages(root), []);
  });
}

/** One image imported and removed again and again. */
class ImportStorm {
  readonly #daemon: BulkheadDaemon;
  readonly #snapshotter: Snapshotter;
  readonly #work: string;
  #importMs = 0;
  #whole: Record<string, EntryFacts> = {};

  private constructor(daemon: BulkheadDaemon, snapshotter: Snapshotter, work: string) {
    this.#daemon = daemon;
    this.#snapshotter = snapshotter;
    this.#work = work;
  }

  /** With what an import takes, and gives, when nothing happens. */
  static async begin(daemon: BulkheadDaemon, snapshotter: Snapshotter, work: string): Promise<ImportStorm> {
    const storm = new ImportStorm(daemon, snapshotter, work);
    const layers = [...oddLayers, manyFiles].map((tar) => ({ tar, packing: "gzip" as const }));
    await writeOciArchive(archiveIn(work), image, [{ family: "oci", layers }]);
    assertWell(await storm.#load());
    storm.#whole = await storm.#tree();
    await storm.#removeAll("");
    // The first one warmed the packages up.
    const started = performance.now();
    assertWell(await storm.#load());
    storm.#importMs = performance.now() - started;
    await storm.#removeAll("");
    return storm;
  }

  async run(victims: readonly string[], kills: number): Promise<void> {
    const seed = Number(process.env["BULKHEAD_TEST_SEED"] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}: BULKHEAD_TEST_SEED=${seed} repeats it`);
    const chance = numbersFrom(seed);
    let failed = 0;
    for (let turn = 0; turn < kills; turn++) {
      const victim = victims[turn % victims.length] ?? "";
      const afterMs = Math.floor(chance(1000) * (this.#importMs / 1000));
      const where = `turn ${turn}, ${victim} after ${afterMs} of ${Math.round(this.#importMs)} ms`;
      const first = this.#load();
      // Not a wait for anything: the moment itself is what is tried.
      await delay(afterMs);
      await killPackage(this.#daemon, victim);
      let last = await first;
      if (last.code !== 0) failed++;
      for (let retry = 0; last.code !== 0 && retry < retries; retry++) last = await this.#load();
      assertWell(last, where);
      const check = await this.#run("check", "--snapshotter", this.#snapshotter);
      assert.match(check.stdout, /complete \(5\/5\).* true/, `${where}: ${check.stdout}${check.stderr}`);
      assert.deepEqual(await this.#tree(), this.#whole, where);
      await this.#removeAll(where);
    }
    console.log(`${failed} of ${kills} imports failed at first`);
  }

  #run(...args: readonly string[]): Promise<CtrResult> {
    return ctr(this.#daemon.address, ["image", ...args], { namespace });
  }

  #load(): Promise<CtrResult> {
    return this.#run("import", "--snapshotter", this.#snapshotter, archiveIn(this.#work));
  }

  async #tree(): Promise<Record<string, EntryFacts>> {
    const target = join(this.#work, "mounted");
    await mkdir(target, { recursive: true });
    assertWell(await this.#run("mount", "--snapshotter", this.#snapshotter, image, target));
    try {
      return readMadeTree(target);
    } finally {
      assertWell(await this.#run("unmount", "--snapshotter", this.#snapshotter, "--rm", target));
    }
  }

  async #removeAll(where: string): Promise<void> {
    assertWell(await this.#run("rm", "--sync", image), where);
    await collectAll(this.#daemon, { namespace, snapshotter: this.#snapshotter, where });
  }
}

function assertWell({ code, stdout, stderr }: CtrResult, where = ""): void {
  assert.equal(code, 0, `${where}: ${stdout}${stderr}`);
}

async function killPackage(daemon: BulkheadDaemon, name: string): Promise<void> {
  const found = (await listPlugins(daemon)).find((plugin) => plugin.package === name && plugin.pid > 0n);
  if (found === undefined) return;
  try {
    process.kill(Number(found.pid), "SIGKILL");
  } catch {
    // It has just ended.
  }
}
