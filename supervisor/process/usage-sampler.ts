import { readFileSync } from "node:fs";
import { formatSize } from "../config/size.ts";
import type { Manifest } from "../config/manifest.ts";
import type { Resource } from "./cgroup/group-files.ts";
import type { GroupUsage } from "./cgroup/instance-cgroup.ts";

/** Time between two looks at limits; memory and CPU of each package are sampled at every tenth, milliseconds. */
const tickMs = 1000;
const sampleEvery = 10;
/** Samples kept of an instance: the last minute. */
const samplesLimit = 6;
/** A limit that is met all the time is told once in this time, milliseconds. */
const tellAgainMs = 60_000;
/** Clock ticks a second in /proc, fixed by the kernel's user interface. */
const ticksPerSecond = 100;
const pageBytes = 4096;

/** What is watched of an instance. */
export interface SampledInstance {
  readonly manifest: Manifest;
  readonly generation: number;
  readonly pid: number;
  usage(): GroupUsage | undefined;
}

export interface UsageSample {
  readonly atMs: number;
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  readonly groupBytes: number | undefined;
}

/** A package has met one of its limits. */
export interface LimitMet {
  readonly package: string;
  readonly generation: number;
  readonly resource: Resource;
  /** As the manifest has it. */
  readonly limit: string;
  /** Times since the generation's start. */
  readonly times: number;
  readonly cause: string;
}

interface Watched {
  readonly generation: number;
  readonly samples: UsageSample[];
  /** What was told last, by resource. */
  readonly told: Map<Resource, { readonly times: number; readonly atMs: number; readonly met: LimitMet }>;
}

/** Looks at memory, CPU and limits of everything that runs. Owns: its timer and the samples. */
export class UsageSampler implements Disposable {
  readonly #instances: () => Iterable<SampledInstance>;
  readonly #onLimit: (met: LimitMet) => void;
  readonly #now: () => number;
  readonly #watched = new Map<string, Watched>();
  readonly #timer: NodeJS.Timeout;
  #tick = 0;

  constructor(
    instances: () => Iterable<SampledInstance>,
    onLimit: (met: LimitMet) => void,
    now: () => number = Date.now,
  ) {
    this.#instances = instances;
    this.#onLimit = onLimit;
    this.#now = now;
    this.#timer = setInterval(() => this.look(), tickMs).unref();
  }

  /** One look at everything; the timer's. */
  look(): void {
    this.#tick++;
    let index = 0;
    for (const instance of this.#instances()) {
      // Spread over the ticks, so that many packages are not read at once.
      const due = (index++ + this.#tick) % sampleEvery === 0 || this.#isNew(instance);
      const { memoryBytes, cpu, pids } = instance.manifest.limits;
      const limited = memoryBytes !== undefined || cpu !== undefined || pids !== undefined;
      if (due || limited) this.#lookAt(instance, due);
    }
  }

  /** Memory and CPU of a generation in the last minute, oldest first. */
  samplesOf(packageName: string, generation: number): readonly UsageSample[] {
    const watched = this.#watched.get(packageName);
    return watched?.generation === generation ? watched.samples : [];
  }

  /** Limits that the present generation has met, in words. */
  notesOf(packageName: string): string[] {
    return [...(this.#watched.get(packageName)?.told.values() ?? [])].map(({ met }) => met.cause);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #isNew({ manifest, generation }: SampledInstance): boolean {
    return this.#watched.get(manifest.name)?.generation !== generation;
  }

  #lookAt(instance: SampledInstance, due: boolean): void {
    const { manifest, generation, pid } = instance;
    const usage = instance.usage();
    let watched = this.#watched.get(manifest.name);
    if (watched?.generation !== generation) {
      watched = { generation, samples: [], told: new Map() };
      this.#watched.set(manifest.name, watched);
    }
    const sample = due ? readSample(pid, this.#now(), usage?.memoryBytes) : undefined;
    if (sample !== undefined && watched.samples.push(sample) > samplesLimit) watched.samples.shift();
    if (usage !== undefined) this.#checkLimits(instance, usage, watched);
  }

  #checkLimits({ manifest, generation }: SampledInstance, usage: GroupUsage, { told }: Watched): void {
    for (const [resource, times, limit] of hits(manifest.limits, usage)) {
      const last = told.get(resource);
      const now = this.#now();
      if (times === 0 || times === last?.times || (last !== undefined && now - last.atMs < tellAgainMs)) continue;
      const cause = causeOf(resource, limit, times, usage.oomKills ?? 0);
      const met = { package: manifest.name, generation, resource, limit, times, cause };
      told.set(resource, { times, atMs: now, met });
      this.#onLimit(met);
    }
  }
}

function hits({ memoryBytes, cpu, pids }: Manifest["limits"], usage: GroupUsage): [Resource, number, string][] {
  const met: [Resource, number, string][] = [];
  if (memoryBytes !== undefined) met.push(["memory", usage.memoryHits ?? 0, formatSize(memoryBytes)]);
  if (cpu !== undefined) met.push(["cpu", usage.cpuHits ?? 0, String(cpu)]);
  if (pids !== undefined) met.push(["pids", usage.pidsHits ?? 0, String(pids)]);
  return met;
}

function causeOf(resource: Resource, limit: string, times: number, oomKills: number): string {
  switch (resource) {
    case "memory":
      if (oomKills > 0) {
        return `memory has met limits.memory (${limit}) ${times} times and the kernel has killed ${oomKills} of its processes: raise the limit, or mend the leak`;
      }
      return `memory has met limits.memory (${limit}) ${times} times: the kernel takes back what it can, then kills; raise the limit, or mend the leak`;
    case "cpu":
      return `CPU time has used up limits.cpu (${limit}) in ${times} periods: its calls are slowed; raise the limit if that is not meant`;
    case "pids":
      return `${times} forks or threads failed at limits.pids (${limit}): raise the limit, or mend what starts so many`;
  }
}

/** proc(5); undefined: the process has gone. */
function readSample(pid: number, atMs: number, groupBytes: number | undefined): UsageSample | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    return { atMs, cpuSeconds, residentBytes: Number(fields[21]) * pageBytes, groupBytes };
  } catch {
    return undefined;
  }
}
