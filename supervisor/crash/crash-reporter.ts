import type { CrashReport } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import type { CrashLimits, Json } from "../config/config.ts";
import { uriOf, type Manifest } from "../config/manifest.ts";
import { describeExit } from "../lifecycle/exits.ts";
import type { Log } from "../log.ts";
import { nowInTicks } from "../process/session.ts";
import type { UsageSample } from "../process/usage-sampler.ts";
import type { CallsInFlight } from "../router/route-table.ts";
import { CrashFiles } from "./crash-files.ts";
import { isCrash, type Ended } from "./crash.ts";
import type { CrashFacts } from "./crash-report.ts";
import { LastGood } from "./last-good.ts";
import { describeChanges, stampPackage, type PackageStamp } from "./package-stamp.ts";
import { secretsIn } from "./redact.ts";

export interface CrashReporterOptions {
  readonly root: string;
  readonly limits: CrashLimits;
  readonly log: Log;
  readonly now: () => number;
  /** The package's config file as it would be written now; secrets resolved. Throws when it is wrong. */
  readonly configJson: (manifest: Manifest) => string;
  /** A plugin's config for people, secrets hidden. */
  readonly shownConfig: (manifest: Manifest, uri: string) => Json;
  readonly samplesOf: (packageName: string, generation: number) => readonly UsageSample[];
  readonly callsInFlight: (packageName: string, generation: number) => Promise<CallsInFlight | undefined>;
}

/** Reports kept of a package, and the newest of them. */
export interface PackageCrashes {
  /** Newest first. */
  readonly files: readonly string[];
  readonly last: CrashReport | undefined;
}

/** Reports that may be in the making; of more crashes at once there is only the log line. */
const pendingLimit = 32;
/** What a package is made of is noted this long after it got ready: then it is no race with the boot, milliseconds. */
const settleMs = 1000;
const ticksPerSecond = 100;

/** Writes a file for each crash. Owns: the files, and reports in the making, which dispose waits for. */
export class CrashReporter implements AsyncDisposable {
  readonly #options: CrashReporterOptions;
  readonly #files: CrashFiles;
  readonly #good: LastGood;
  readonly #pending = new Set<Promise<void>>();
  /** What was secret in the config of each package when its present or last generation started. */
  readonly #secrets = new Map<string, readonly string[]>();
  readonly #settling = new Map<string, NodeJS.Timeout>();

  constructor(options: CrashReporterOptions) {
    this.#options = options;
    this.#files = new CrashFiles(options.root, options.limits);
    this.#good = new LastGood(this.#files);
  }

  /** A generation starts: what is secret in its config must not be in a report of it. */
  starting(manifest: Manifest): void {
    const secrets = this.#findSecrets(manifest);
    if (secrets.length > 0) this.#secrets.set(manifest.name, secrets);
  }

  /** A generation is ready: later ones are compared with it. */
  ready(manifest: Manifest, generation: number): void {
    clearTimeout(this.#settling.get(manifest.name));
    const note = (): void => this.#noteGood(manifest, generation);
    this.#settling.set(manifest.name, setTimeout(note, settleMs).unref());
  }

  /** An instance has ended: when that was a crash it is reported, in the background. */
  ended(ended: Ended): void {
    clearTimeout(this.#settling.get(ended.manifest.name));
    if (this.#options.limits.files === 0 || !isCrash(ended) || this.#pending.size >= pendingLimit) return;
    const report = this.#report(ended).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.warn("no crash report was written", { plugin: ended.manifest.name, reason });
    });
    this.#pending.add(report);
    void report.then(() => this.#pending.delete(report)); // it never rejects
  }

  /** What is kept of a package. */
  async crashesOf(packageName: string): Promise<PackageCrashes> {
    const files = this.#files.list(packageName);
    const text = files[0] === undefined ? undefined : this.#files.read(files[0]);
    if (text === undefined) return { files, last: undefined };
    const { readCrashFile } = await import("./crash-report.ts");
    try {
      return { files, last: readCrashFile(text) };
    } catch {
      return { files, last: undefined }; // not one of ours any more; the file is named all the same
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#settling.values()) clearTimeout(timer);
    await Promise.all(this.#pending);
  }

  async #report(ended: Ended): Promise<void> {
    const { manifest, instance, exit, machine } = ended;
    const { limits, log, now } = this.#options;
    const { name, version } = manifest;
    const { generation, pid } = instance;
    // Now and not later: the next generation changes or ends all of these.
    const asked = this.#options.callsInFlight(name, generation);
    const atMs = now();
    const usage = this.#options.samplesOf(name, generation);
    const lines = [...(instance.process?.output.lastLines() ?? [])];
    const livedMs = livedMsOf(instance.process?.identity.startTime);
    const secrets = [...(this.#secrets.get(name) ?? [])];
    const calls = await asked;
    // Reads the package's files, for which its next start need not wait.
    const stamp = this.#stamp(manifest, generation);
    const good = this.#good.of(name);
    const facts: CrashFacts = {
      package: name,
      version,
      generation,
      pid,
      state: machine.state,
      atMs,
      livedMs,
      usage,
      lines,
      cause: machine.state === "stopping" && machine.reason !== "" ? machine.reason : describeExit(exit),
      code: exit.code ?? -1,
      signal: exit.signal ?? "",
      oomKilled: exit.oomKilled === true,
      calls,
      memoryPeakBytes: instance.finalUsage?.memoryPeakBytes,
      manifestHash: stamp.manifestHash,
      configHash: stamp.configHash,
      lastGoodGeneration: good?.generation ?? 0,
      changes: good === undefined ? [] : describeChanges(good, stamp),
    };
    const { crashFileText } = await import("./crash-report.ts");
    const file = this.#files.write(name, generation, atMs, crashFileText(facts, secrets, limits));
    if (file !== undefined) log.info("crash report written", { plugin: name, generation, file });
  }

  #noteGood(manifest: Manifest, generation: number): void {
    this.#settling.delete(manifest.name);
    try {
      this.#good.note(manifest.name, this.#stamp(manifest, generation));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.debug("the last good generation was not written down", { plugin: manifest.name, reason });
    }
  }

  #stamp(manifest: Manifest, generation: number): PackageStamp {
    return stampPackage(manifest, generation, this.#configJson(manifest));
  }

  #configJson(manifest: Manifest): string {
    try {
      return this.#options.configJson(manifest);
    } catch {
      return ""; // it cannot be read any more, which its next start says
    }
  }

  #findSecrets(manifest: Manifest): string[] {
    const shown = Object.fromEntries(
      manifest.plugins.map((plugin) => [uriOf(plugin), this.#options.shownConfig(manifest, uriOf(plugin))]),
    );
    // Most configs hide nothing, and need not be read for it.
    if (!JSON.stringify(shown).includes("(hidden)")) return [];
    return secretsIn(JSON.parse(this.#configJson(manifest) || "{}") as Json, shown);
  }
}

/** From the process's start, in clock ticks after boot, until now. */
function livedMsOf(startTime: string | undefined): number {
  const ticks = nowInTicks() - Number(startTime);
  return Number.isFinite(ticks) && startTime !== "" ? Math.max(0, Math.round((ticks * 1000) / ticksPerSecond)) : 0;
}
