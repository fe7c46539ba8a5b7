import { mkdirSync } from "node:fs";
import { manifestDefaults, pluginDefaults } from "../../../supervisor/config/manifest-defaults.ts";
import type { Manifest } from "../../../supervisor/config/manifest.ts";
import { ExitRecords } from "../../../supervisor/holder/exit-records.ts";
import { Obstructions } from "../../../supervisor/lifecycle/adoption.ts";
import { Fleet, type FleetHost } from "../../../supervisor/lifecycle/fleet.ts";
import type { PackagePlan } from "../../../supervisor/lifecycle/plan.ts";
import type { StateName } from "../../../supervisor/lifecycle/states.ts";
import { linuxSystem, type System } from "../../../supervisor/lifecycle/system.ts";
import { takeUp } from "../../../supervisor/lifecycle/take-up.ts";
import type { Log } from "../../../supervisor/log.ts";
import { Cgroups } from "../../../supervisor/process/cgroup/cgroups.ts";
import { loggedGenerations } from "../../../supervisor/process/generations.ts";
import { InstanceRecords } from "../../../supervisor/process/records.ts";
import { within } from "../../harness/deadline.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";

/** A package that is a shell script: ready when it writes a newline to descriptor 3. */
export interface ShellPackage {
  readonly name: string;
  readonly script: string;
  /** Names of the packages it requires. */
  readonly requires?: readonly string[];
  readonly manifest?: Partial<Manifest>;
}

const silent: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
  relay: () => {},
};

/** A fleet of real processes without the rest of control. Owns: the folder and the processes. */
export class ShellFleet implements AsyncDisposable {
  readonly fleet: Fleet;
  readonly folder: TempFolder;
  /** Each change of state, like "name: from > to". */
  readonly changes: string[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #packages: readonly ShellPackage[];
  readonly #host: FleetHost;
  readonly #obstructions = new Obstructions();
  readonly #records: InstanceRecords;

  private constructor(folder: TempFolder, packages: readonly ShellPackage[], system: System) {
    this.folder = folder;
    this.#packages = packages;
    const state = folder.join("state");
    mkdirSync(state, { recursive: true });
    this.#records = new InstanceRecords(state);
    this.#host = {
      launch: {
        root: folder.join("root"),
        state,
        socketFolder: folder.join("s"),
        hostSocketFolder: folder.join("h"),
        env: { PATH: process.env["PATH"] },
        maxRecvMessageBytes: 1024,
        maxSendMessageBytes: 1024,
        logLevel: "info",
        privileges: {
          cgroups: Cgroups.open({ state, daemonPid: 0, hierarchies: [] }),
          setpriv: undefined,
          isRoot: false,
          nofileLimit: undefined,
        },
        childOomScoreAdj: undefined,
        pluginHostCommand: [],
      },
      records: this.#records,
      exits: new ExitRecords(state),
      obstruction: (manifest) => this.#obstructions.of(manifest),
      cutRouter: () => {},
      log: silent,
      hostVersion: "0",
      ttrpcListenerFd: undefined,
      system,
      random: Math.random,
      shownConfig: () => ({}),
      registrations: () => ({ registrations: [], peers: [], configJson: "{}" }),
      drainRouter: () => Promise.resolve(),
    };
    this.fleet = new Fleet({
      plans: packages.map((each) => planOf(each, folder.path)),
      lastGenerations: loggedGenerations(state),
      host: this.#host,
      onChange: (runner, from) => {
        if (runner.state !== from) this.changes.push(`${runner.manifest.name}: ${from} > ${runner.state}`);
        for (const wake of this.#waiting) wake();
      },
    });
  }

  static async start(packages: readonly ShellPackage[], system: System = linuxSystem): Promise<ShellFleet> {
    const shell = new ShellFleet(await makeTempFolder("f"), packages, system);
    shell.fleet.start();
    return shell;
  }

  /** The fleet of a next control, beside the processes of this one; nothing is started yet. */
  successor(): ShellFleet {
    return new ShellFleet(this.folder, this.#packages, this.#host.system);
  }

  /** Adopts what runs and starts the rest, as control does. */
  async takeUp(): Promise<void> {
    const { records } = this.#records.readAll();
    await takeUp({ records, attach: () => {}, fleet: this.fleet, host: this.#host, obstructions: this.#obstructions });
  }

  /** Waits until a package is in a state. */
  async until(name: string, state: StateName): Promise<void> {
    const runner = this.fleet.runners.get(name);
    if (runner === undefined) throw new Error(`no package ${name}`);
    await within(
      `${name} is ${state}`,
      runner.until((now) => now === state),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fleet.stop();
    await this.folder[Symbol.asyncDispose]();
  }
}

function planOf({ name, script, requires = [], manifest }: ShellPackage, folder: string): PackagePlan {
  return {
    manifest: {
      ...manifestDefaults(name, "proxy"),
      folder,
      command: ["/bin/sh", "-c", script],
      plugins: [pluginDefaults("test.v1", name)],
      readiness: { by: "fd", timeoutMs: 10_000 },
      stop: { graceMs: 2000, kill: "group" },
      ...manifest,
    },
    initial: { state: "declared", reason: "" },
    requirements: requires.map((provider) => ({ item: `test.v1.${provider}`, providers: [provider] })),
    wants: [],
    peers: [],
    calls: {},
  };
}
