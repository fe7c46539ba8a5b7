import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { TaskDeleteSchema, TaskExitSchema } from "#proto/gen/containerd/events/events_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import type { Envelope } from "#proto/gen/containerd/types/types_pb.ts";
import { clientOf, connect, type Channel, type Client } from "#rpc";
import { findHierarchies } from "../../../supervisor/process/cgroup/hierarchies.ts";
import { startBulkhead, type BulkheadDaemon, type BulkheadOptions } from "../../harness/bulkhead-daemon.ts";
import { BusyboxContainers } from "../../harness/busybox-containers.ts";
import { ctr } from "../../harness/ctr.ts";
import { defaultDeadlineMs, within } from "../../harness/deadline.ts";
import { processesNaming } from "../../harness/leftovers.ts";
import { listPlugins } from "../../harness/plugin-status.ts";
import { signalUnlessEnded } from "../../harness/process-end.ts";
import { makeRootfs, removeRuncFolders, runcState, runtimePath } from "../../harness/runtime.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";
import { ownMountName } from "../../harness/tmpfs.ts";

export const runtimeUri = "io.containerd.runtime.v2.task";

/** A daemon with a runtime, and a namespace of its own on it. Owns: the daemon, its folder, its containers' files. */
export class ContainerHost implements AsyncDisposable {
  readonly folder: TempFolder;
  readonly namespace: string;
  daemon: BulkheadDaemon;
  readonly #options: BulkheadOptions;
  readonly #containers: BusyboxContainers;

  private constructor(folder: TempFolder, daemon: BulkheadDaemon, options: BulkheadOptions) {
    this.folder = folder;
    this.daemon = daemon;
    this.#options = options;
    // runc's state and cgroups are one for all daemons of a machine.
    this.namespace = `t${folder.path.replaceAll(/[^A-Za-z0-9]/g, "")}`;
    this.#containers = new BusyboxContainers(daemon.address, this.namespace, folder.join("rootfs"));
  }

  static async start(options: BulkheadOptions = {}): Promise<ContainerHost> {
    const folder = await makeTempFolder("ct");
    const all: BulkheadOptions = { ...options, folder, env: { PATH: runtimePath(), ...options.env } };
    try {
      await makeRootfs(folder.join("rootfs"));
      return new ContainerHost(folder, await startBulkhead(all), all);
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  get scope() {
    return { metadata: { "containerd-namespace": this.namespace } };
  }

  channel(): Channel {
    return connect(this.daemon.address);
  }

  /** Starts another daemon on the same folder, after the first has ended in whatever way. */
  async restart(): Promise<void> {
    await this.daemon.child.ended;
    this.daemon = await startBulkhead(this.#options);
  }

  /** Makes a container that runs `command` on busybox, as the stock client would. */
  async container(id: string, command: readonly string[], runtime?: string): Promise<void> {
    using channel = this.channel();
    await this.#containers.create(channel, id, command, runtime);
  }

  /** Makes, creates and starts one; gives its pid. */
  async run(id: string, command: readonly string[]): Promise<number> {
    await this.container(id, command);
    using channel = this.channel();
    const tasks = clientOf(Tasks, channel);
    await tasks.create({ containerId: id }, this.scope);
    return (await tasks.start({ containerId: id }, this.scope)).pid;
  }

  /** Forgets a container's record. */
  async forget(id: string): Promise<void> {
    using channel = this.channel();
    await clientOf(Containers, channel).delete({ id }, this.scope);
  }

  /** Runs the stock client, which must end well; gives what it printed. */
  async ctr(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await ctr(this.daemon.address, words, { namespace: this.namespace });
    assert.equal(code, 0, `ctr ${words.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  }

  /** The pid of a package's process. */
  async pidOf(name: string): Promise<number> {
    const found = (await listPlugins(this.daemon)).find((plugin) => plugin.package === name && plugin.pid > 0n);
    return Number(found?.pid ?? 0);
  }

  /** Pids of a part of the supervisor. */
  async partPids(part: "control" | "router"): Promise<number[]> {
    const found = await processesNaming(this.folder.path);
    const wanted = { control: "supervisor/control.ts", router: "supervisor/router/main.ts" }[part];
    return found.filter((line) => line.includes(wanted)).map((line) => Number(line.split(" ")[1]));
  }

  /** SIGKILL to a package, if it runs. */
  async kill(name: string): Promise<void> {
    const pid = await this.pidOf(name);
    if (pid !== 0) signalUnlessEnded(pid, "SIGKILL");
  }

  /** Pids of shims of this daemon; of the task `id` alone when it is given. */
  async shims(id?: string): Promise<number[]> {
    const found = await processesNaming(this.folder.path);
    const wanted = id === undefined ? /shim-runc/ : new RegExp(`shim-runc.* -id ${id} `);
    return found.filter((line) => wanted.test(`${line} `)).map((line) => Number(line.split(" ")[1]));
  }

  /** Bundles, work folders, what runc keeps, shims, mounts and cgroups that there are, of this namespace. */
  async remains(): Promise<string[]> {
    const { root, state } = this.daemon;
    const bundles = join(state, runtimeUri, this.namespace);
    const folders = [bundles, join(root, runtimeUri, this.namespace), join(runcState, this.namespace)];
    const names = folders.map(async (folder) =>
      (await readdir(folder).catch(() => [])).map((name) => join(folder, name)),
    );
    const groups = findHierarchies().map(async ({ mountPoint }) => {
      const folder = join(mountPoint, this.namespace);
      return (await readdir(folder, { withFileTypes: true }).catch(() => []))
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => join(folder, name));
    });
    const shims = (await this.shims()).map((pid) => `shim ${pid}`);
    const mounts = (await readFile("/proc/self/mounts", "utf8"))
      .split("\n")
      .filter((line) => line.includes(bundles) && !line.startsWith(`${ownMountName} `));
    return [...(await Promise.all([...names, ...groups])).flat(), ...shims, ...mounts];
  }

  /** Waits until nothing remains: a shim ends a moment after its answer. */
  async assertNothingRemains(where = ""): Promise<void> {
    const limit = Date.now() + defaultDeadlineMs;
    for (;;) {
      const found = await this.remains();
      if (found.length === 0) return;
      assert.ok(Date.now() < limit, `${where}: left behind: ${found.join(", ")}`);
    }
  }

  /** Ends every task and forgets every container. */
  async clear(): Promise<void> {
    using channel = this.channel();
    const tasks = clientOf(Tasks, channel);
    const containers = clientOf(Containers, channel);
    for (const { id } of (await containers.list({}, this.scope)).containers) {
      await endTask(tasks, id, this.scope);
      await this.forget(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      try {
        if (this.daemon.child.running) await this.clear();
      } finally {
        await this.daemon[Symbol.asyncDispose]();
      }
      await removeRuncFolders(this.namespace);
    } finally {
      await this.folder[Symbol.asyncDispose]();
    }
  }
}

async function endTask(tasks: Client<typeof Tasks>, id: string, scope: ContainerHost["scope"]): Promise<void> {
  try {
    await tasks.kill({ containerId: id, signal: 9, all: true }, scope);
    await tasks.wait({ containerId: id }, scope);
  } catch {
    // It is not running, or not there.
  }
  await tasks.delete({ containerId: id }, scope).catch(() => undefined);
}

/** What was told of one process. */
export interface ToldExit {
  readonly topic: string;
  readonly id: string;
  readonly pid: number;
  readonly exitStatus: number;
}

/** Listens for exits and deletions of a namespace's tasks. Owns: its subscription. */
export class ExitListener implements AsyncDisposable {
  readonly told: ToldExit[] = [];
  readonly #stop = new AbortController();
  readonly #channel: Channel;
  readonly #ended: Promise<void>;
  #heard = Promise.withResolvers<void>();

  /** `address`: the daemon's, or the events package's own, which no death of a router cuts off. */
  constructor({ daemon, namespace }: ContainerHost, address = daemon.address) {
    this.#channel = connect(address);
    const filters = ["exit", "delete"].map((topic) => `namespace==${namespace},topic=="/tasks/${topic}"`);
    const stream = clientOf(Events, this.#channel).subscribe({ filters }, { signal: this.#stop.signal });
    this.#ended = this.#read(stream).catch(() => {});
  }

  /** Waits for what was told of a process: `/tasks/exit` or `/tasks/delete`. */
  waitFor(topic: string, id: string): Promise<ToldExit> {
    return within(`${topic} of ${id}`, this.#untilTold(topic, id));
  }

  async #untilTold(topic: string, id: string): Promise<ToldExit> {
    for (;;) {
      const found = this.told.find((each) => each.topic === topic && each.id === id);
      if (found !== undefined) return found;
      await this.#heard.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    this.#channel[Symbol.dispose]();
  }

  async #read(stream: AsyncIterable<Envelope>): Promise<void> {
    for await (const { topic, event } of stream) {
      const value = event?.value ?? new Uint8Array();
      if (topic === "/tasks/exit") this.#add(topic, decode(TaskExitSchema, value));
      else {
        const deleted = decode(TaskDeleteSchema, value);
        this.#add(topic, { ...deleted, id: deleted.id === "" ? deleted.containerId : deleted.id });
      }
    }
  }

  #add(topic: string, { id, pid, exitStatus }: Omit<ToldExit, "topic">): void {
    this.told.push({ topic, id, pid, exitStatus });
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }
}

function decode<D extends DescMessage>(schema: D, value: Uint8Array): MessageShape<D> {
  return fromBinary(schema, value);
}
