import { closeSync, readSync } from "node:fs";
import type { Log } from "bulkhead/plugin";
import { onceReady, openOomEvents } from "#linux";
import { isGroup, readPairs } from "../../shared/cgroups/group-files.ts";

/** A container whose memory is watched. */
export interface OomSubject {
  readonly namespace: string;
  readonly id: string;
  /** Its group in the v1 memory hierarchy. */
  readonly folder: string;
}

interface OomWatch extends OomSubject {
  count: number;
  /** Ends the watch and closes its descriptor. */
  readonly close: () => void;
}

/**
 * Tells when a group of a v1 memory hierarchy runs out of memory (containerd metrics/cgroups/v1/oom.go). Owns: one
 * descriptor a watch.
 */
export class OomWatches implements Disposable {
  readonly #tell: (subject: OomSubject) => void;
  readonly #log: Log;
  readonly #watches = new Map<string, OomWatch>();

  constructor(tell: (subject: OomSubject) => void, log: Log) {
    this.#tell = tell;
    this.#log = log;
  }

  /** Watches a group, once. `isNew`: what happened to it before the watch is told of, too. */
  start(key: string, subject: OomSubject, { isNew }: { readonly isNew: boolean }): void {
    if (this.#watches.has(key)) return;
    try {
      this.#watch(key, subject);
    } catch (error) {
      this.#log.warn("memory of a container cannot be watched", { ...subject, error: String(error) });
      return;
    }
    if (isNew && (readPairs(subject.folder, "memory.oom_control")?.get("oom_kill") ?? 0) > 0) this.#count(key);
  }

  end(key: string): void {
    this.#watches.get(key)?.close();
    this.#watches.delete(key);
  }

  /** How often each ran out of memory while it was watched. */
  counts(): Iterable<OomSubject & { readonly count: number }> {
    return this.#watches.values();
  }

  [Symbol.dispose](): void {
    for (const key of this.#watches.keys()) this.end(key);
  }

  #watch(key: string, subject: OomSubject): void {
    const events = openOomEvents(subject.folder);
    let stop = (): void => undefined;
    const arm = (): void => {
      stop = onceReady(events, "readable", () => {
        readSync(events, Buffer.alloc(8));
        // The kernel tells of the group's removal the same way.
        if (!isGroup(subject.folder)) return this.end(key);
        arm();
        this.#count(key);
      });
    };
    const close = (): void => {
      stop();
      closeSync(events);
    };
    this.#watches.set(key, { ...subject, count: 0, close });
    arm();
  }

  #count(key: string): void {
    const watch = this.#watches.get(key);
    if (watch === undefined) return;
    watch.count += 1;
    this.#tell(watch);
  }
}
