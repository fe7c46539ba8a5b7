import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { connect } from "#rpc";
import { mountBtrfs, skipWithoutBtrfs } from "../harness/btrfs-disk.ts";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { skipWithout } from "../harness/peers.ts";
import { startStock, type Daemon } from "../harness/stock-daemon.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";
import { mountTmpfs } from "../harness/tmpfs.ts";
import { exceptionOf } from "./exceptions.ts";
import { normalize, type Outcome } from "./outcome.ts";
import type { Step, Target } from "./steps.ts";

/** Steps run in order on each daemon, in a namespace of their own; every outcome must be equal. */
export interface Case {
  readonly title: string;
  readonly steps: readonly Step[];
  /** Puts files into the case's folder first. */
  readonly prepare?: (folder: string) => Promise<void>;
}

export interface CompareOptions {
  /** Size of a file system in memory that each daemon's root is on, as mount(8) writes it; default: the disk. */
  readonly rootSize?: string;
  /** Each daemon's btrfs snapshotter has a disk of its own. */
  readonly btrfs?: boolean;
  /** What the cases need beside containerd, as `scripts/peers.ts` names it. */
  readonly peers?: readonly string[];
}

/** Garbage is collected only when a case asks for it: when it would be otherwise is chance. */
const stockConfig = '[plugins."io.containerd.gc.v1.scheduler"]\nstartup_delay = "24h"';
const noCollection = "io.containerd.gc.v1.scheduler: { startup_delay: 24h }";
const btrfsPlugin = "io.containerd.snapshotter.v1.btrfs";

/** A wait of a case never ends a run silently. */
const caseMs = 120_000;

/** Registers one test a case, over one pair of daemons for the file. */
export function compareCases(area: string, cases: readonly Case[], options: CompareOptions = {}): void {
  const skip =
    skipWithout({ peers: ["containerd", ...(options.peers ?? [])], root: true }) ||
    (options.btrfs === true && skipWithoutBtrfs());
  const daemons: Daemon[] = [];
  const owned = new AsyncDisposableStack();
  before(async () => {
    if (skip !== false) return;
    const place = async (): Promise<{ folder?: TempFolder }> => {
      if (options.rootSize === undefined) return {};
      const folder = owned.use(await makeTempFolder("r"));
      owned.use(await mountTmpfs(folder.join("root"), options.rootSize));
      return { folder };
    };
    const disk = async () => (options.btrfs === true ? owned.use(await mountBtrfs()).path : undefined);
    const stock = async () => {
      const path = await disk();
      const config = path === undefined ? "" : `\n[plugins."${btrfsPlugin}"]\nroot_path = "${path}"\n`;
      return owned.use(await startStock({ ...(await place()), config: `${stockConfig}${config}` }));
    };
    const bulkhead = async () => {
      const path = await disk();
      const config = path === undefined ? "" : `, ${btrfsPlugin}: { root_path: ${path} }`;
      return owned.use(await startBulkhead({ ...(await place()), config: `plugins: { ${noCollection}${config} }\n` }));
    };
    daemons.push(await stock());
    // The list of cases is checked by running the stock daemon against itself.
    const self = process.env["BULKHEAD_DIFFERENTIAL_SELF"] === "1";
    daemons.push(self ? await stock() : await bulkhead());
  });
  after(() => owned.disposeAsync());
  for (const [index, item] of cases.entries()) {
    test(`${area}: ${item.title}`, { skip, timeout: caseMs }, async () => {
      const [stock, ours] = await Promise.all(daemons.map((daemon) => runCase(item, daemon, `${area}-${index}`)));
      assertEqual(area, item, stock ?? [], ours ?? []);
    });
  }
}

async function runCase(item: Case, daemon: Daemon, namespace: string): Promise<readonly Outcome[]> {
  const files = daemon.folder.join(`files-${namespace}`);
  await mkdir(files);
  await item.prepare?.(files);
  using channel = connect(daemon.address, { maxMessageBytes: 64 * 1024 * 1024 });
  const target: Target = { daemon, channel, namespace, files };
  const outcomes: Outcome[] = [];
  for (const step of item.steps) outcomes.push(normalize(await step.run(target), daemon.folder.path));
  return outcomes;
}

function assertEqual(area: string, item: Case, stock: readonly Outcome[], ours: readonly Outcome[]): void {
  const self = process.env["BULKHEAD_DIFFERENTIAL_SELF"] === "1";
  for (const [index, step] of item.steps.entries()) {
    const exception = self ? undefined : exceptionOf(area, item.title, step.title, index + 1);
    const expected = exception === undefined ? stock[index] : exception.expect(stock[index] ?? null);
    // A difference that is gone, but still listed, would hide a new one.
    if (exception !== undefined) {
      assert.notDeepEqual(expected, stock[index], `${step.title}: the listed exception no longer differs from stock`);
    }
    assert.deepEqual(ours[index], expected, `step ${index + 1}: ${step.title}\n(left: ours, right: stock)`);
  }
}
