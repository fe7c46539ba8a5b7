import { classedError, implement, type Service } from "bulkhead/plugin";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { namespaceOf } from "#proto/wire/identifiers.ts";

export interface FakeTask {
  pid: number;
  status: Status;
  exitStatus: number;
  readonly stdout: string;
  readonly rootfs: readonly { readonly options: readonly string[] }[];
}

/** Tasks that are only written down: enough for who starts, kills and lists them. */
export class FakeTasks {
  readonly tasks = new Map<string, FakeTask>();
  /** Every call that changes something, in order. */
  readonly calls: string[] = [];
  lists = 0;
  /** Called when a task was asked to be killed; it ends when this resolves. */
  onKill: (key: string) => Promise<void> = () => Promise.resolve();
  /** Throw to fail a call. */
  onCall: (method: string, key: string) => void = () => {};
  #ends = new Map<string, PromiseWithResolvers<void>>();
  #waiters: (() => void)[] = [];
  #nextPid = 1_000_000_000;

  put(key: string, task: Partial<FakeTask> = {}): FakeTask {
    const made = { pid: this.#nextPid++, status: Status.RUNNING, exitStatus: 0, stdout: "", rootfs: [], ...task };
    this.tasks.set(key, made);
    this.#ends.set(key, Promise.withResolvers());
    return made;
  }

  /** Ends a task by itself. */
  end(key: string, exitStatus: number): void {
    const task = this.#taskOf(key);
    task.status = Status.STOPPED;
    task.exitStatus = exitStatus;
    this.#ends.get(key)?.resolve();
  }

  /** Resolves when the calls so far have this one. */
  async untilCalled(call: string, times = 1): Promise<void> {
    while (this.calls.filter((each) => each === call).length < times) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  get service(): Service {
    return implement(Tasks, {
      get: ({ containerId }, { metadata }) => {
        const key = `${namespaceOf(metadata)}/${containerId}`;
        this.onCall("get", key);
        return { process: { ...processOf(this.#taskOf(key)), id: containerId } };
      },
      list: (_, { metadata }) => {
        const namespace = namespaceOf(metadata);
        this.lists += 1;
        this.onCall("list", namespace);
        const own = [...this.tasks].filter(([key]) => key.startsWith(`${namespace}/`));
        return { tasks: own.map(([key, task]) => ({ ...processOf(task), id: key.slice(namespace.length + 1) })) };
      },
      create: ({ containerId, stdout, rootfs }, { metadata }) => {
        const key = this.#note("create", metadata, containerId);
        if (this.tasks.has(key)) throw classedError("already-exists", `task ${containerId}`);
        return { containerId, pid: this.put(key, { status: Status.CREATED, stdout, rootfs }).pid };
      },
      start: ({ containerId }, { metadata }) => {
        const task = this.#taskOf(this.#note("start", metadata, containerId));
        task.status = Status.RUNNING;
        return { pid: task.pid };
      },
      kill: async ({ containerId, signal, all }, { metadata }) => {
        const key = this.#note(`kill ${signal}${all ? " all" : ""}`, metadata, containerId);
        if (this.#taskOf(key).status === Status.STOPPED) throw classedError("not-found", "process already finished");
        void this.onKill(key).then(() => this.end(key, 137));
        return {};
      },
      wait: async ({ containerId }, { metadata }) => {
        const key = `${namespaceOf(metadata)}/${containerId}`;
        this.#taskOf(key);
        await this.#ends.get(key)?.promise;
        return { exitStatus: this.tasks.get(key)?.exitStatus ?? 255 };
      },
      delete: ({ containerId }, { metadata }) => {
        const key = this.#note("delete", metadata, containerId);
        const { pid, exitStatus } = this.#taskOf(key);
        this.tasks.delete(key);
        return { id: containerId, pid, exitStatus };
      },
    });
  }

  #note(method: string, metadata: Readonly<Record<string, string>>, id: string): string {
    const key = `${namespaceOf(metadata)}/${id}`;
    this.onCall(method, key);
    this.calls.push(`${method} ${key}`);
    for (const resolve of this.#waiters.splice(0)) resolve();
    return key;
  }

  #taskOf(key: string): FakeTask {
    const task = this.tasks.get(key);
    if (task === undefined) throw classedError("not-found", `task ${key} not found`);
    return task;
  }
}

function processOf({ pid, status, exitStatus, stdout }: FakeTask) {
  return { pid, status, exitStatus, stdout };
}
