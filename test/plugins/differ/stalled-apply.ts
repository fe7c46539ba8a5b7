import { mkdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { makeNode, nodeTypes } from "#linux";
import type { Daemon } from "../../harness/stock-daemon.ts";
import { within } from "../../harness/deadline.ts";
import type { TempFolder } from "../../harness/temp-folder.ts";
import { LayerClient, type MountInit } from "./layer-client.ts";
import { entryBytes, tarOf } from "./tar-builder.ts";

/** Media type that the stalling processor takes. */
export const stallingType = "application/x-stalls";

/**
 * Config of a processor that says through a FIFO that it runs, and then neither reads nor writes; `start` is what its
 * shell does before.
 */
export function stallingConfig(folder: TempFolder, start = ""): string {
  const fifo = folder.join("started");
  makeNode(fifo, nodeTypes.fifo | 0o600);
  return `
plugins:
  io.containerd.differ.v1.walking:
    stream_processors:
      stalls:
        accepts: [${stallingType}]
        returns: application/vnd.oci.image.layer.v1.tar
        path: /bin/sh
        args: [-c, "${start} echo > ${fifo}; exec sleep 600"]
`;
}

/** Mounts that cannot be written without mounting them. */
export function mountedBind(folder: TempFolder, name: string): MountInit[] {
  const source = folder.join(name);
  mkdirSync(source, { recursive: true });
  return [{ type: "bind", source, options: ["bind", "rw"] }];
}

/** Begins an apply that stalls with its mount made; resolves when it is. `failed` has how it ended. */
export async function beginStalled(daemon: Daemon, folder: TempFolder, mounts: MountInit[]) {
  const client = new LayerClient(daemon.address);
  const stop = new AbortController();
  const blob = await client.store(tarOf([{ name: "file", data: "x" }]), stallingType);
  const answer = client.apply(blob, mounts, { signal: stop.signal });
  const failed = answer.then(
    () => undefined,
    (error: unknown) => error,
  );
  await within("the processor starts", readFile(folder.join("started")));
  return { client, stop, failed };
}

/** A plain layer of one file. */
export const smallLayer = Buffer.concat([entryBytes({ name: "small", data: "small" }), tarOf([])]);

/** Mount points of a daemon for layers. */
export function tempMountsOf(root: string): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.flatMap((line) => line.split(" ")[4] ?? []).filter((path) => path.startsWith(`${root}/tmpmounts/`));
}
