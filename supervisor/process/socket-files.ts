import { existsSync, readdirSync, renameSync, rmSync, symlinkSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { InstancePaths } from "./launch.ts";

/** A generation whose files are there: it was started, and nobody has seen its end. */
export interface LeftGeneration {
  readonly package: string;
  readonly generation: number;
}

/** What instances do with the files of their sockets. */
export interface SocketFiles {
  isBound(socket: string): boolean;
  /** Resolves when the socket's file is there; rejects when `signal` aborts. */
  untilBound(socket: string, signal: AbortSignal): Promise<void>;
  /** Points the package's stable path at this generation; peers that are connected stay where they are. */
  publish(paths: InstancePaths): void;
  /** Removes what one generation left; its log stays. */
  remove(paths: InstancePaths): void;
  /** Generations whose config file, written before each start, was not removed. */
  left(socketFolder: string): LeftGeneration[];
}

/** Those on this machine's disk. */
export const socketFiles: SocketFiles = {
  isBound: existsSync,
  untilBound,
  publish({ stableSocket, socket }) {
    rmSync(`${stableSocket}.new`, { force: true });
    symlinkSync(basename(socket), `${stableSocket}.new`);
    renameSync(`${stableSocket}.new`, stableSocket);
  },
  remove({ socket, configFile }) {
    rmSync(socket, { force: true });
    rmSync(configFile, { force: true });
  },
  left: (socketFolder) =>
    namesIn(socketFolder).flatMap((name) =>
      namesIn(join(socketFolder, name)).flatMap((file) => {
        const generation = /^(\d+)\.json$/.exec(file)?.[1];
        return generation === undefined ? [] : [{ package: name, generation: Number(generation) }];
      }),
    ),
};

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // not a folder, or not there yet
  }
}

async function untilBound(socket: string, signal: AbortSignal): Promise<void> {
  if (existsSync(socket)) return;
  await new Promise<void>((resolve, reject) => {
    const watcher = watch(dirname(socket), { persistent: false });
    const finish = (settle: () => void): void => {
      watcher.close();
      settle();
    };
    watcher.on("error", (error) => finish(() => reject(error)));
    watcher.on("change", () => {
      if (existsSync(socket)) finish(resolve);
    });
    signal.addEventListener("abort", () => finish(() => reject(signal.reason as Error)), { once: true });
    if (existsSync(socket)) finish(resolve);
  });
}
