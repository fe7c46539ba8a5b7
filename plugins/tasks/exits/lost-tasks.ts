import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clientOf, isHostError, type Log, type Peers } from "bulkhead/plugin";
import { TaskDeleteSchema, TaskExitSchema } from "#proto/gen/containerd/events/events_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { packAny } from "#proto/wire/any.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import { nanosOf, timestampFromNanos, timestampNow } from "#proto/wire/timestamp.ts";
import type { ProcessExit } from "../process-exit.ts";

const eventPlugin = "io.containerd.event.v1";

type LostTask = ProcessExit & { readonly namespace: string; readonly id: string };

/** The content of a file. */
interface Notice {
  readonly namespace: string;
  readonly id: string;
  readonly pid: number;
  readonly exitStatus: number;
  /** Nanoseconds since the epoch. */
  readonly exitedAt: string;
  /** The events' own time, nanoseconds: by it the events package knows what it is told twice. */
  readonly toldAt: string;
}

/**
 * Tells of tasks whose shim cannot tell any more: an exit and a delete event each, once, whenever this package dies.
 * What is not told yet stands in a file a task. Owns: the folder of those files.
 */
export class LostTasks {
  readonly #folder: string;
  readonly #peers: Peers;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  #count = 0;

  constructor(folder: string, peers: Peers, log: Log, signal: AbortSignal) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
    this.#peers = peers;
    this.#log = log;
    this.#signal = signal;
  }

  /** Writes it down, then tells in the background. Never throws: a full disk must not keep a task from ending. */
  add({ namespace, id, pid, exitStatus, exitedAt }: LostTask): void {
    const toldAt = String(nanosOf(timestampNow()));
    const notice: Notice = { namespace, id, pid, exitStatus, exitedAt: String(nanosOf(exitedAt)), toldAt };
    const file = join(this.#folder, `${toldAt}-${this.#count++}.json`);
    try {
      writeFileSync(`${file}.new`, JSON.stringify(notice), { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch (error) {
      this.#log.warn("lost task not written down", { id, namespace, error: String(error) });
    }
    void this.#tell(file, notice); // never rejects
  }

  /** Tells what an earlier generation had not told. Never throws. */
  tellAgain(): void {
    for (const name of readdirSync(this.#folder)) {
      const file = join(this.#folder, name);
      const notice = name.endsWith(".json") ? readNotice(file) : undefined;
      if (notice === undefined) rmSync(file, { force: true });
      else void this.#tell(file, notice); // never rejects
    }
  }

  async #tell(file: string, notice: Notice): Promise<void> {
    const { namespace, id, pid, exitStatus, toldAt } = notice;
    const exitedAt = timestampFromNanos(BigInt(notice.exitedAt));
    const exit = packAny(TaskExitSchema, { containerId: id, id, pid, exitStatus, exitedAt });
    const deleted = packAny(TaskDeleteSchema, { containerId: id, pid, exitStatus, exitedAt });
    const timestamp = timestampFromNanos(BigInt(toldAt));
    const options = { metadata: { [metadataKeys.namespace]: namespace }, signal: this.#signal };
    try {
      if (this.#peers.find(eventPlugin).length > 0) {
        const events = clientOf(Events, this.#peers.channel(eventPlugin));
        for (const [topic, event] of [["/tasks/exit", exit] as const, ["/tasks/delete", deleted] as const]) {
          await this.#send(() => events.forward({ envelope: { namespace, topic, timestamp, event } }, options));
        }
      }
      rmSync(file, { force: true });
    } catch (error) {
      if (!this.#signal.aborted) this.#log.warn("lost task not told of", { id, namespace, error: String(error) });
    }
  }

  /** Sends until it is answered: the events package knows a repeat by its time. */
  async #send(forward: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await forward();
        return;
      } catch (error) {
        // Waits for the package to be back, so this is no busy loop.
        if (this.#signal.aborted || !isHostError(error, "unavailable")) throw error;
      }
    }
  }
}

function readNotice(file: string): Notice | undefined {
  try {
    const notice = JSON.parse(readFileSync(file, "utf8")) as Notice;
    return BigInt(notice.exitedAt) >= 0n && BigInt(notice.toldAt) >= 0n ? notice : undefined;
  } catch {
    return undefined;
  }
}
