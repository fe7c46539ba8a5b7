import { setTimeout as delay } from "node:timers/promises";
import { isHostError, type Log } from "bulkhead/plugin";
import type { Container } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import type { RestartClients, Scope } from "./clients.ts";
import { restartLabels } from "./labels.ts";
import { isRestarted } from "./policy.ts";
import { killTask, startTask } from "./task-changes.ts";

/** Containers changed at a time; others are seen to in the next round. */
const changesLimit = 64;
/** How long a round waits for one answer. */
const askMs = 10_000;

export interface RestartOptions {
  /** Undefined while a package that is needed is not there. */
  readonly clients: () => RestartClients | undefined;
  readonly intervalMs: number;
  readonly log: Log;
}

/**
 * Looks at each container with a status label once an interval and has its task be as the label says (containerd
 * runtime/restart/monitor/monitor.go). A change that takes long holds up no other container. Owns: its loop and the
 * changes under way.
 */
export class RestartMonitor implements AsyncDisposable {
  readonly #options: RestartOptions;
  readonly #stop = new AbortController();
  readonly #changes = new Map<string, Promise<void>>();
  readonly #running: Promise<void>;

  constructor(options: RestartOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#changes.values());
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const clients = this.#options.clients();
        if (clients !== undefined) await this.#reconcile(clients);
      } catch (error) {
        if (!signal.aborted) this.#options.log.warn("containers not looked at", { error: String(error) });
      }
      await delay(this.#options.intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #reconcile(clients: RestartClients): Promise<void> {
    const { namespaces } = await clients.namespaces.list({}, this.#ask({ metadata: {} }));
    for (const { name: namespace } of namespaces) {
      const metadata = { [metadataKeys.namespace]: namespace };
      const scope: Scope = { ...clients, namespace, options: { metadata, signal: this.#stop.signal } };
      const filters = [`labels."${restartLabels.status}"`];
      const listed = clients.containers.listStream({ filters }, this.#ask({ metadata }));
      for await (const { container } of listed) if (container !== undefined) await this.#look(scope, container);
    }
  }

  async #look(scope: Scope, container: Container): Promise<void> {
    const { log } = this.#options;
    const { namespace } = scope;
    const { id, labels } = container;
    const key = `${namespace}/${id}`;
    if (this.#changes.has(key) || this.#changes.size >= changesLimit) return;
    try {
      const change = await this.#changeOf(scope, container);
      if (change === undefined) return;
      log.info("task changed to what its container's label says", { namespace, id, to: labels[restartLabels.status] });
      const ended = change()
        .catch((error: unknown) => {
          if (!this.#stop.signal.aborted) log.warn("task not changed", { namespace, id, error: String(error) });
        })
        .finally(() => this.#changes.delete(key));
      this.#changes.set(key, ended);
    } catch (error) {
      if (!this.#stop.signal.aborted) log.warn("task not looked at", { namespace, id, error: String(error) });
    }
  }

  /** What to do; undefined: nothing. */
  async #changeOf(scope: Scope, container: Container): Promise<(() => Promise<void>) | undefined> {
    const { id, labels } = container;
    const task = await this.#taskOf(scope, id);
    switch (labels[restartLabels.status]) {
      case "running":
        if (task?.status === Status.RUNNING || !isRestarted(labels, task?.exitStatus ?? 0)) return undefined;
        return () => startTask(scope, container);
      case "stopped":
        if (task === undefined || task.status === Status.STOPPED) return undefined;
        return () => killTask(scope, id);
      default:
        return undefined;
    }
  }

  async #taskOf({ tasks, options }: Scope, containerId: string) {
    try {
      const { process } = await tasks.get({ containerId }, this.#ask(options));
      return process;
    } catch (error) {
      if (isHostError(error, "not-found")) return undefined;
      throw error; // who does not answer is no task that is gone
    }
  }

  #ask({ metadata }: Pick<Scope["options"], "metadata">) {
    return { metadata, signal: this.#stop.signal, deadlineMs: Date.now() + askMs };
  }
}
