import { execa } from "execa";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fixturesCache } from "../peers/folders.ts";

export interface LoadResult {
  readonly calls: number;
  readonly seconds: number;
  readonly p50us: number;
  readonly p99us: number;
  readonly bytes: number;
  readonly errors: Readonly<Record<string, number>>;
}

export interface Load {
  readonly socket: string;
  readonly method: string;
  readonly namespace: string;
  readonly clients: number;
  readonly requests: readonly Uint8Array[];
  readonly stream?: boolean;
}

const loadMs = 300_000;

/** Sends the requests with the Go client; throws when a call failed, since that would be measured as speed. */
export async function runLoad(load: Load, folder: string): Promise<LoadResult> {
  const file = join(folder, "requests");
  await writeFile(file, Buffer.concat(load.requests.flatMap((request) => [lengthOf(request), request])));
  const args = ["-socket", load.socket, "-method", load.method, "-namespace", load.namespace];
  args.push("-clients", String(load.clients), "-requests", file, ...(load.stream === true ? ["-stream"] : []));
  const { stdout } = await execa(join(fixturesCache, "go-load/bin/load"), args, { timeout: loadMs });
  const result = JSON.parse(stdout) as LoadResult;
  const errors = Object.entries(result.errors);
  if (errors.length > 0)
    throw new Error(`${load.method}: ${errors.map(([code, count]) => `${count} ${code}`).join(", ")}`);
  return result;
}

function lengthOf(request: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(request.length);
  return length;
}
