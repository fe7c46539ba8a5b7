import { join, resolve } from "node:path";
import { writeFile } from "node:fs/promises";
import { Child } from "./child.ts";
import { assertNothingLeft } from "./leftovers.ts";
import type { Daemon } from "./stock-daemon.ts";
import { makeTempFolder, type TempFolder } from "./temp-folder.ts";

export interface BulkheadOptions {
  /** YAML of a config file, after root, state and addresses. */
  readonly config?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Uses this folder instead of one of its own, and leaves it there. */
  readonly folder?: TempFolder;
  /** More flags. */
  readonly args?: readonly string[];
  /** Instead of this checkout's launcher. */
  readonly command?: string;
}

export interface BulkheadDaemon extends Daemon {
  readonly state: string;
  readonly admin: string;
}

/** The launcher of this checkout. */
export const launcher = resolve(import.meta.dirname, "../../scripts/bulkhead");

const bootMs = 30_000;
const stopMs = 20_000;

const optPlugin = "io.containerd.internal.v1.opt";

/** Config that puts everything of a daemon below one folder; `more` YAML comes after it. */
export function configFor(folder: TempFolder, more = ""): string {
  const places = [
    `root: ${folder.join("root")}`,
    `state: ${folder.join("state")}`,
    `grpc: { address: ${folder.join("c.sock")} }`,
    "",
  ].join("\n");
  if (more.includes(optPlugin)) return places + more;
  // As text, since `more` may be wrong on purpose, and what is said of it names its lines.
  const opt = `${optPlugin}: { path: ${folder.join("opt")} }`;
  if (/^plugins: \{/m.test(more)) return places + more.replace(/^plugins: \{/m, `plugins: { ${opt},`);
  if (/^plugins:\n +/m.test(more))
    return places + more.replace(/^(plugins:\n +)/m, (head) => `${head}${opt}${head.slice(8)}`);
  return `${places}plugins: { ${opt} }\n${more}`;
}

/** Writes the config of a daemon below `folder`; gives its path. */
export async function prepareBulkhead(folder: TempFolder, options: BulkheadOptions = {}): Promise<string> {
  const config = folder.join("config.yaml");
  await writeFile(config, configFor(folder, options.config));
  return config;
}

/** Starts the launcher's daemon without waiting for it. */
export function launchBulkhead(folder: TempFolder, config: string, options: BulkheadOptions = {}): Child {
  return new Child(options.command ?? launcher, ["--config", config, ...(options.args ?? []), "daemon"], {
    env: { ...process.env, XDG_RUNTIME_DIR: folder.path, ...options.env },
  });
}

/** A whole daemon on folders of its own; resolves when it has booted. Disposing proves that nothing is left. */
export async function startBulkhead(options: BulkheadOptions = {}): Promise<BulkheadDaemon> {
  const folder = options.folder ?? (await makeTempFolder("b"));
  const child = launchBulkhead(folder, await prepareBulkhead(folder, options), options);
  const daemon: BulkheadDaemon = {
    name: "bulkhead",
    address: folder.join("c.sock"),
    folder,
    root: folder.join("root"),
    state: folder.join("state"),
    admin: join(folder.join("state"), "admin.sock"),
    child,
    stop: async () => {
      child.kill("SIGTERM");
      const { code, signal } = await child.waitForExit(stopMs);
      if (code !== 0) throw new Error(`the daemon ended with ${signal ?? code}:\n${child.output.text}`);
      await assertNothingLeft(folder.path);
    },
    [Symbol.asyncDispose]: async () => {
      try {
        if (child.running) await daemon.stop();
      } finally {
        await child[Symbol.asyncDispose]();
        if (options.folder === undefined) await folder[Symbol.asyncDispose]();
      }
    },
  };
  try {
    await child.output.waitFor(/successfully booted in/, bootMs);
    return daemon;
  } catch (error) {
    // The failure to boot is the one to tell of, whatever the clean-up meets.
    await Promise.resolve(daemon[Symbol.asyncDispose]()).catch(() => undefined);
    throw error;
  }
}
