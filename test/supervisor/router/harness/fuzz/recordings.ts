import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cutFrames, type Frame } from "./frames.ts";

/** Where `record.ts` writes, a file for each client program. */
export const recordingsFolder: string = join(import.meta.dirname, "recordings");

/** What a file holds: connections as hexadecimal bytes, the preface left out. */
export interface RecordingFile {
  /** What clients sent to the router. */
  readonly clients: readonly string[];
  /** What servers answered the router. */
  readonly servers: readonly string[];
}

/** Sessions of real programs, for the fuzzer to start from. */
export interface Recordings {
  readonly clients: readonly (readonly Frame[])[];
  readonly servers: readonly (readonly Frame[])[];
}

/** All recordings, in the order of their names. */
export function readRecordings(): Recordings {
  const files = readdirSync(recordingsFolder).sort();
  const parsed = files.map((name) => JSON.parse(readFileSync(join(recordingsFolder, name), "utf8")) as RecordingFile);
  const framesOf = (text: string): Frame[] => cutFrames(Buffer.from(text, "hex"));
  return {
    clients: parsed.flatMap(({ clients }) => clients.map(framesOf)),
    servers: parsed.flatMap(({ servers }) => servers.map(framesOf)),
  };
}
