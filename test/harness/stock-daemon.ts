import { writeFile } from "node:fs/promises";
import { Child } from "./child.ts";
import { containerdProgram } from "./peers.ts";
import { makeTempFolder, type TempFolder } from "./temp-folder.ts";

/** A daemon that a client can be pointed at. Owns: its process and temp folder. */
export interface Daemon extends AsyncDisposable {
  readonly name: "stock" | "bulkhead";
  /** Path of the main socket. */
  readonly address: string;
  readonly folder: TempFolder;
  readonly root: string;
  readonly child: Child;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
}

export interface StockOptions {
  /** More TOML, after the harness's own. */
  readonly config?: string;
  /** Plugins to leave out, by `type.id`. */
  readonly disabled?: readonly string[];
  /** Uses this folder instead of one of its own, and leaves it there. */
  readonly folder?: TempFolder;
  /** Variables beside PATH and HOME. */
  readonly env?: NodeJS.ProcessEnv;
}

const stopMs = 15_000;

/** Writes the config that puts everything of a stock daemon, without CRI, below one folder; gives its path. */
export async function stockFor(folder: TempFolder, options: StockOptions = {}): Promise<string> {
  const config = folder.join("config.toml");
  await writeFile(
    config,
    [
      "version = 2",
      `root = "${folder.join("root")}"`,
      `state = "${folder.join("state")}"`,
      `disabled_plugins = ${JSON.stringify(["io.containerd.grpc.v1.cri", ...(options.disabled ?? [])])}`,
      `[grpc]\naddress = "${folder.join("c.sock")}"`,
      `[plugins."io.containerd.internal.v1.opt"]\npath = "${folder.join("opt")}"`,
      options.config ?? "",
    ].join("\n"),
  );
  return config;
}

/** Starts Debian's containerd without waiting for it. */
export function launchStock(folder: TempFolder, config: string, env: NodeJS.ProcessEnv = {}): Child {
  return new Child(containerdProgram("containerd"), ["--config", config], {
    env: { PATH: process.env["PATH"], HOME: folder.path, ...env },
  });
}

/** Debian's containerd on folders of its own; resolves when it has booted. */
export async function startStock(options: StockOptions = {}): Promise<Daemon> {
  const folder = options.folder ?? (await makeTempFolder("s"));
  const address = folder.join("c.sock");
  const child = launchStock(folder, await stockFor(folder, options), options.env);
  const daemon: Daemon = {
    name: "stock",
    address,
    folder,
    root: folder.join("root"),
    child,
    stop: async () => {
      child.kill("SIGTERM");
      await child.waitForExit(stopMs);
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
    await child.output.waitFor(/containerd successfully booted/);
    return daemon;
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
}
