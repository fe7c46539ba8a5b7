import { join } from "node:path";
import { execa } from "execa";
import { Child } from "../../test/harness/child.ts";
import { fixturesCache } from "../peers/folders.ts";

const program = join(fixturesCache, "go-hop/bin/hop");
const slackMs = 240_000;

/** What is put on a proxy. */
export interface HopLoad {
  readonly kind: "unary" | "pour" | "fill";
  readonly connections: number;
  /** Calls at once on each connection. */
  readonly streams: number;
  readonly messageBytes: number;
  /** Idle streams held open meanwhile, on connections of their own. */
  readonly held: number;
}

/** What the client saw; `calls` are messages where they stream. */
export interface HopResult {
  readonly calls: number;
  readonly seconds: number;
  readonly p50us: number;
  readonly p99us: number;
  /** Processor time of the process in between. */
  readonly cpuSeconds: number;
  /** Anonymous part of its proportional set size, under load. */
  readonly anonymousKiB: number;
}

/** The server that all proxies call. Owns: its process. */
export async function startHopServer(socket: string): Promise<Child> {
  const child = new Child(program, ["-listen", socket]);
  await child.output.waitFor(/serving/);
  return child;
}

/** Loads `socket` for `seconds` and looks at process `pid`, 0 being none. Throws when a call failed. */
export async function runHop(socket: string, pid: number, load: HopLoad, seconds: number): Promise<HopResult> {
  const flags = {
    socket,
    pid,
    kind: load.kind,
    connections: load.connections,
    streams: load.streams,
    bytes: load.messageBytes,
    held: load.held,
    time: `${seconds}s`,
  };
  const words = Object.entries(flags).flatMap(([name, value]) => [`-${name}`, String(value)]);
  const { stdout } = await execa(program, words, { timeout: seconds * 1000 + slackMs });
  return JSON.parse(stdout) as HopResult;
}
