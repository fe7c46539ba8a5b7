import { closeSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isLinuxError, onceReady, openPid, peerCredentials, receiveDescriptor, signalPidfd, unixConnect } from "#linux";
import { isSameProcess, type ProcessIdentity } from "../process/process-identity.ts";
import type { RouterToControl, TakeOver } from "../router/route-table.ts";
import type { HolderLog } from "./holder-log.ts";
import { type ListenerAddresses, takeOverDescriptors } from "./messages.ts";
import { describeCause } from "./start-failure.ts";

/** What a live router may take to answer; it does so between two calls. */
const answerWithinMs = 2000;
/** The same for one that is told to end. */
const endWithinMs = 2000;
const helloBytes = 4096;

/** A router that an earlier holder left. The receiver owns all descriptors. */
export interface LiveRouter {
  readonly pid: number;
  /** Means its process. */
  readonly pidfd: number;
  /** Stream of JSON lines to it, and the socket that descriptors go over. */
  readonly channel: number;
  readonly descriptors: number;
  readonly main: number;
  readonly ttrpc: number;
}

/**
 * Takes over the router that `recorded` says was left, with its listeners and without a word to its clients; it lives
 * on `addresses`, else it is ended. Undefined: none lives any more. Never rejects.
 */
export async function takeOverRouter(
  state: string,
  recorded: ProcessIdentity | undefined,
  addresses: ListenerAddresses,
  log: HolderLog,
): Promise<LiveRouter | undefined> {
  const pidfd = recorded === undefined ? undefined : openSame(recorded);
  if (recorded === undefined || pidfd === undefined) return undefined;
  const { pid } = recorded;
  try {
    const taken = await askForListeners(state, pid, addresses);
    log.info("took over the router of the last daemon", { pid });
    return { pid, pidfd, ...taken };
  } catch (error) {
    log.warn("cannot take over the router of the last daemon, ending it", { pid, error: describeCause(error) });
    await end(pidfd);
    closeSync(pidfd);
    return undefined;
  }
}

async function askForListeners(state: string, pid: number, addresses: ListenerAddresses) {
  const socket = unixConnect(join(state, "router.sock"));
  const received: number[] = [];
  try {
    if (peerCredentials(socket).pid !== pid) throw new Error("router.sock is another process's");
    const hello = await readHello(socket);
    if (hello.addresses?.main !== addresses.main || hello.addresses.ttrpc !== addresses.ttrpc) {
      throw new Error(`it listens elsewhere (${hello.addresses?.main ?? "unknown"})`);
    }
    writeSync(socket, `${JSON.stringify({ type: "take-over" } satisfies TakeOver)}\n`);
    while (received.length < takeOverDescriptors.length) {
      await readable(socket);
      received.push(receiveDescriptor(socket));
    }
    const [channel = -1, descriptors = -1, main = -1, ttrpc = -1] = received;
    return { channel, descriptors, main, ttrpc };
  } catch (error) {
    for (const fd of received) closeSync(fd);
    throw error;
  } finally {
    closeSync(socket);
  }
}

/** The router's first line; it sends nothing after it that was not asked for. */
async function readHello(socket: number): Promise<Extract<RouterToControl, { type: "hello" }>> {
  const buffer = Buffer.alloc(helloBytes);
  let length = 0;
  while (!buffer.subarray(0, length).includes(10)) {
    await readable(socket);
    const count = readSync(socket, buffer, length, buffer.length - length, null);
    if (count === 0) throw new Error("it closed the connection, or said too much");
    length += count;
  }
  return JSON.parse(buffer.toString("utf8", 0, length)) as Extract<RouterToControl, { type: "hello" }>;
}

/** Rejects when nothing comes in time: it stands still. */
function readable(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`it did not answer within ${answerWithinMs} ms`));
    }, answerWithinMs);
    const stop = onceReady(fd, "readable", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** SIGTERM, then SIGKILL; resolves when it has gone. */
async function end(pidfd: number): Promise<void> {
  signal(pidfd, "SIGTERM");
  const timer = setTimeout(() => signal(pidfd, "SIGKILL"), endWithinMs);
  await new Promise<void>((resolve) => onceReady(pidfd, "readable", resolve));
  clearTimeout(timer);
}

function signal(pidfd: number, name: NodeJS.Signals): void {
  try {
    signalPidfd(pidfd, name);
  } catch (error) {
    if (!isLinuxError(error, "ESRCH")) throw error; // it has just ended
  }
}

/** A pidfd of exactly that process; undefined: it has ended. */
export function openSame(identity: ProcessIdentity): number | undefined {
  let pidfd: number;
  try {
    pidfd = openPid(identity.pid);
  } catch (error) {
    if (isLinuxError(error, "ESRCH")) return undefined;
    throw error;
  }
  if (isSameProcess(identity)) return pidfd;
  closeSync(pidfd);
  return undefined;
}
