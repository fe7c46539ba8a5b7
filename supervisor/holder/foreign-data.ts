import { closeSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { StartFailure } from "./start-failure.ts";

/** Where bolt keeps its magic: after the first page's header of 16 bytes. */
const magicOffset = 16;
const boltMagic = 0xed0cdaed;

/** Databases of containerd: its metadata, and those of its snapshotters. */
const databases = [
  { folder: /^io\.containerd\.metadata\.v1\.bolt$/, file: "meta.db" },
  { folder: /^io\.containerd\.snapshotter\.v1\./, file: "metadata.db" },
];
const sockets = ["containerd.sock", "containerd.sock.ttrpc"];

/**
 * Refuses a root or state that containerd works on, with nothing touched: two daemons on one root destroy each
 * other's data. Throws StartFailure that names what was found and the key to change.
 */
export function refuseContainerdFolders(config: Pick<Config, "root" | "state" | "grpc" | "ttrpc">): void {
  const database = possibleDatabases(config.root).find(isBoltFile);
  if (database !== undefined) refuse("root", config.root, `${database} is a containerd database`);
  const own = [config.grpc.address, config.ttrpc.address];
  const socket = sockets.map((name) => join(config.state, name)).find((path) => !own.includes(path) && isSocket(path));
  if (socket !== undefined) refuse("state", config.state, `${socket} is a containerd socket`);
}

function refuse(key: "root" | "state", folder: string, found: string): never {
  throw new StartFailure(
    `${key} folder ${folder} belongs to containerd: ${found}; nothing was changed. ` +
      `Set "${key}" in the config or pass --${key} to give bulkhead a folder of its own`,
  );
}

function possibleDatabases(root: string): string[] {
  return foldersIn(root).flatMap((name) =>
    databases.filter(({ folder }) => folder.test(name)).map(({ file }) => join(root, name, file)),
  );
}

function foldersIn(root: string): string[] {
  try {
    return readdirSync(root);
  } catch {
    return []; // absent, or unusable: making it says why
  }
}

function isBoltFile(path: string): boolean {
  const head = Buffer.alloc(magicOffset + 4);
  try {
    const fd = openSync(path, "r");
    try {
      return readSync(fd, head, 0, head.length, 0) === head.length && head.readUInt32LE(magicOffset) === boltMagic;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false; // absent or unreadable: whoever opens it next says so
  }
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}
