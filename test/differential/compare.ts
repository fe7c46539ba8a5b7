import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { connect } from "#rpc";
import { mountBtrfs, skipWithoutBtrfs } from "../harness/btrfs-disk.ts";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { skipWithout } from "../harness/peers.ts";
import { removeRuncFolders, runtimePath, runtimePeers } from "../harness/runtime.ts";
import { startStock, type Daemon } from "../harness/stock-daemon.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";
import { mountTmpfs } from "../harness/tmpfs.ts";
import { exceptionOf } from "./exceptions.ts";
import { normalize, type Marks, type Outcome } from "./outcome.ts";
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
  /** Whether containers run: with stock's shims and runc, in a namespace a daemon, since the runtime's state is one. */
  readonly containers?: boolean;
  /** Config of plugins by `type.id`, for both daemons. */
  readonly plugins?: Plugins;
}

type Plugins = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Garbage is collected only when a case asks for it: when it would be otherwise is chance. */
const usualPlugins: Plugins = { "io.containerd.gc.v1.scheduler": { startup_delay: "24h" } };
const btrfsPlugin = "io.containerd.snapshotter.v1.btrfs";

/** What namespaces of containers end with, stock's first: runc's folders are one for all daemons of a machine. */
const sides = ["a", "b"] as const;

/** A wait of a case never ends a run silently. */
const caseMs = 120_000;

/** Registers one test a case, over one pair of daemons for the file. */
export function compareCases(area: string, cases: readonly Case[], options: CompareOptions = {}): void {
  const { containers = false, btrfs = false, peers = [] } = options;
  const skip =
    skipWithout({ peers: ["containerd", ...(containers ? runtimePeers : []), ...peers], root: true }) ||
    (btrfs && skipWithoutBtrfs());
  const env = containers ? { env: { PATH: runtimePath() } } : {};
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
    /** Both daemons' config, and a disk of each one's own. */
    const plugins = async (): Promise<Plugins> => {
      const disk = btrfs ? { [btrfsPlugin]: { root_path: owned.use(await mountBtrfs()).path } } : {};
      return { ...usualPlugins, ...options.plugins, ...disk };
    };
    const stock = async () =>
      owned.use(await startStock({ ...(await place()), ...env, config: tomlOf(await plugins()) }));
    daemons.push(await stock());
    // The list of cases is checked by running the stock daemon against itself.
    const self = process.env["BULKHEAD_DIFFERENTIAL_SELF"] === "1";
    const ours = async () => {
      const { folder = owned.use(await makeTempFolder("b")) } = await place();
      const config = `plugins: ${JSON.stringify(await plugins())}\n`;
      return owned.use(await startBulkhead({ folder, ...env, config }));
    };
    daemons.push(self ? await stock() : await ours());
  });
  after(async () => {
    await owned.disposeAsync();
    if (!containers) return;
    // Not all that begin with the area's name: another area may begin with it, too.
    for (const index of cases.keys()) for (const side of sides) await removeRuncFolders(`${area}-${index}-${side}`);
  });
  for (const [index, item] of cases.entries()) {
    test(`${area}: ${item.title}`, { skip, timeout: caseMs }, async () => {
      const runs = daemons.map((daemon, nth) => {
        const namespace = containers ? `${area}-${index}-${sides[nth]}` : `${area}-${index}`;
        const marks = new Map([[daemon.folder.path, "<folder>"]]);
        if (containers) marks.set(namespace, "<ns>");
        return runCase(item, daemon, namespace, marks);
      });
      const [stock, ours] = await Promise.all(runs);
      assertEqual(area, item, stock ?? [], ours ?? []);
    });
  }
}

function tomlOf(plugins: Plugins): string {
  return Object.entries(plugins)
    .map(([uri, keys]) => {
      const lines = Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
      return `[plugins."${uri}"]\n${lines.join("")}`;
    })
    .join("");
}

async function runCase(item: Case, daemon: Daemon, namespace: string, marks: Marks): Promise<readonly Outcome[]> {
  const files = daemon.folder.join(`files-${namespace}`);
  await mkdir(files);
  await item.prepare?.(files);
  using channel = connect(daemon.address, { maxMessageBytes: 64 * 1024 * 1024 });
  const target: Target = { daemon, channel, namespace, files };
  const outcomes: Outcome[] = [];
  for (const step of item.steps) outcomes.push(normalize(await step.run(target), marks));
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
