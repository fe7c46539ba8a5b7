import { setTimeout as delay } from "node:timers/promises";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { isHostError, type Client, type Log } from "bulkhead/plugin";
import { TaskCreateSchema, TaskDeleteSchema, TaskStartSchema } from "#proto/gen/containerd/events/events_pb.ts";
import type { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import type { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import type { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import type { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import type { Envelope } from "#proto/gen/containerd/types/types_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { packAny, unpackAny } from "#proto/wire/any.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import type { WatchedTasks } from "./watched-tasks.ts";

/** What tasks are learned from; a client is asked for anew at each use, since its package may come and go. */
export interface TaskSources {
  readonly events: () => Client<typeof Events>;
  readonly tasks: () => Client<typeof Tasks>;
  readonly containers: () => Client<typeof Containers>;
  readonly namespaces: () => Client<typeof Namespaces>;
}

/** Comes back when the subscription stands; only who names it gets it. */
const markTopic = "/bulkhead/monitors/listening";
const filters = ['topic~="^/tasks/(create|start|delete)$"', `topic=="${markTopic}"`];
/** Folder of a bundle's runtime plugin, two above the bundle's own. */
const runtimeV1Folder = /\/(io\.containerd\.runtime\.v1\.[^/]+)\/[^/]+\/[^/]+\/?$/;
const callMs = 5000;
const firstDelayMs = 100;
const longestDelayMs = 10_000;

/**
 * Keeps the table of tasks: events tell of new and gone ones, a list of the others whenever a subscription begins. The
 * list is asked for once the subscription is known to stand, so nothing falls between the two, and no event is looked
 * at before it is answered. Owns: its loop and subscription.
 */
export class TaskFollower implements AsyncDisposable {
  readonly #sources: TaskSources;
  readonly #watched: WatchedTasks;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #delayMs = firstDelayMs;
  #isListed = false;
  /** Runtime names are asked for one after the other. */
  #naming: Promise<void> = Promise.resolve();

  constructor(sources: TaskSources, watched: WatchedTasks, log: Log) {
    this.#sources = sources;
    this.#watched = watched;
    this.#log = log;
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#naming;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const ended = new AbortController();
      const either = AbortSignal.any([signal, ended.signal]);
      const marking = this.#mark(either);
      try {
        await this.#follow(either);
      } catch (error) {
        if (!signal.aborted) this.#log.debug("events of tasks ended", { error: String(error) });
      } finally {
        ended.abort();
        await marking;
      }
      await this.#pause(signal);
    }
  }

  /** Publishes marks, one after the other was answered, until a list that followed one was taken in. */
  async #mark(signal: AbortSignal): Promise<void> {
    const metadata = { [metadataKeys.namespace]: "bulkhead" };
    const event = packAny(EmptySchema, {});
    this.#isListed = false;
    while (!signal.aborted && !this.#isListed) {
      try {
        await this.#sources.events().publish({ topic: markTopic, event }, { metadata, ...this.#options(signal) });
      } catch (error) {
        if (!signal.aborted) this.#log.debug("events package away", { error: String(error) });
      }
      if (!this.#isListed) await this.#pause(signal);
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for await (const envelope of this.#sources.events().subscribe({ filters }, { signal })) {
      if (envelope.topic !== markTopic) this.#tryHear(envelope);
      else if (!this.#isListed) await this.#list(signal);
    }
  }

  /** Any client may publish anything: what cannot be read tells nothing. */
  #tryHear(envelope: Envelope): void {
    try {
      this.#hear(envelope);
    } catch (error) {
      this.#log.debug("event of a task not understood", { topic: envelope.topic, error: String(error) });
    }
  }

  #hear({ namespace, event }: Envelope): void {
    if (event === undefined) return;
    const created = unpackAny(TaskCreateSchema, event);
    if (created !== undefined) {
      const { containerId: id, pid, bundle } = created;
      const [, runtime] = runtimeV1Folder.exec(bundle) ?? [];
      this.#watched.put({ namespace, id, pid, runtime }, { isNew: true });
      this.#naming = this.#naming.then(() => this.#name(namespace, id, pid));
    }
    const started = unpackAny(TaskStartSchema, event);
    if (started !== undefined) {
      const { containerId: id, pid } = started;
      this.#watched.put({ namespace, id, pid, runtime: undefined }, { isNew: true });
    }
    const deleted = unpackAny(TaskDeleteSchema, event);
    // An exec's has its id.
    if (deleted !== undefined && (deleted.id === "" || deleted.id === deleted.containerId)) {
      this.#watched.remove(namespace, deleted.containerId, deleted.pid);
    }
  }

  async #name(namespace: string, id: string, pid: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted || !this.#watched.isNameless({ namespace, id, pid })) return;
    try {
      const options = { metadata: { [metadataKeys.namespace]: namespace }, ...this.#options(signal) };
      const { container } = await this.#sources.containers().get({ id }, options);
      if (!this.#watched.isNameless({ namespace, id, pid })) return;
      this.#watched.put({ namespace, id, pid, runtime: container?.runtime?.name }, { isNew: true });
    } catch (error) {
      // A task is made of a container's record: whoever published this has no task.
      if (isHostError(error, "not-found")) this.#watched.remove(namespace, id, pid);
      else if (!signal.aborted) this.#log.debug("runtime not known", { namespace, id, error: String(error) });
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    try {
      const { namespaces } = await this.#sources.namespaces().list({}, this.#options(signal));
      const names = new Set(namespaces.map(({ name }) => name));
      for (const name of names) await this.#listNamespace(name, signal);
      for (const name of this.#watched.namespaces) if (!names.has(name)) this.#watched.keepOnly(name, new Set());
      this.#isListed = true;
      this.#delayMs = firstDelayMs;
    } catch (error) {
      if (!signal.aborted) this.#log.debug("tasks not listed", { error: String(error) });
    }
  }

  async #listNamespace(namespace: string, signal: AbortSignal): Promise<void> {
    const options = { metadata: { [metadataKeys.namespace]: namespace }, ...this.#options(signal) };
    const { tasks } = await this.#sources.tasks().list({}, options);
    const runtimes = new Map<string, string | undefined>();
    if (tasks.length > 0) {
      for await (const { container } of this.#sources.containers().listStream({}, options)) {
        if (container !== undefined) runtimes.set(container.id, container.runtime?.name);
      }
    }
    for (const { id, pid, status } of tasks) {
      // The pid of one that ended may be another's by now.
      if (status === Status.STOPPED || pid === 0) continue;
      this.#watched.put({ namespace, id, pid, runtime: runtimes.get(id) }, { isNew: false });
    }
    this.#watched.keepOnly(namespace, new Set(tasks.map(({ id }) => id)));
  }

  #options(signal: AbortSignal): { readonly signal: AbortSignal; readonly deadlineMs: number } {
    return { signal, deadlineMs: Date.now() + callMs };
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await delay(this.#delayMs, undefined, { signal }).catch(() => undefined);
    this.#delayMs = Math.min(this.#delayMs * 2, longestDelayMs);
  }
}
