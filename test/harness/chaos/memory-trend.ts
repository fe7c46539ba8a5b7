import { isPart, processesOf } from "./processes.ts";

interface Sample {
  readonly atMs: number;
  readonly anonymousMiB: number;
}

/** How a part's memory went in its longest life. */
export interface Trend {
  readonly part: string;
  readonly minutes: number;
  readonly fromMiB: number;
  readonly toMiB: number;
  /** Of the line that fits the least of each minute best, without the first: between collections garbage gathers. */
  readonly MiBPerHour: number;
}

const everyMs = 2000;
const warmUpMs = 60_000;
const leastSamples = 10;

/** Looks at the memory of the supervisor's parts now and then, until disposed. */
export class MemoryTrend implements AsyncDisposable {
  /** By name and pid. */
  readonly #lives = new Map<string, Sample[]>();
  readonly #folder: string;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, everyMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** One for each part that lived long enough. */
  get trends(): readonly Trend[] {
    const longest = new Map<string, readonly Sample[]>();
    for (const [life, samples] of this.#lives) {
      const [part = ""] = life.split(" ");
      if (samples.length > (longest.get(part)?.length ?? 0)) longest.set(part, samples);
    }
    return [...longest].flatMap(([part, samples]) => trendOf(part, samples));
  }

  async #look(): Promise<void> {
    for (const found of (await processesOf(this.#folder)).filter(isPart)) {
      const life = `${found.name} ${found.pid}`;
      const samples = this.#lives.get(life) ?? [];
      this.#lives.set(life, samples);
      samples.push({ atMs: performance.now(), anonymousMiB: found.anonymousMiB });
    }
  }
}

function trendOf(part: string, samples: readonly Sample[]): Trend[] {
  const [first] = samples;
  const warm = samples.filter(({ atMs }) => atMs - (first?.atMs ?? 0) >= warmUpMs);
  const [from, to] = [warm[0], warm.at(-1)];
  if (from === undefined || to === undefined || warm.length < leastSamples) return [];
  return [
    {
      part,
      minutes: (to.atMs - from.atMs) / 60_000,
      fromMiB: from.anonymousMiB,
      toMiB: to.anonymousMiB,
      MiBPerHour: slopeOf(leastOfMinutes(warm)) * 3_600_000,
    },
  ];
}

function leastOfMinutes(samples: readonly Sample[]): readonly Sample[] {
  const least = new Map<number, Sample>();
  for (const sample of samples) {
    const minute = Math.floor(sample.atMs / 60_000);
    const known = least.get(minute);
    if (known === undefined || sample.anonymousMiB < known.anonymousMiB) least.set(minute, sample);
  }
  return [...least.values()];
}

/** Least squares, MiB a millisecond. */
function slopeOf(samples: readonly Sample[]): number {
  const mean = (pick: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + pick(sample), 0) / samples.length;
  const [time, memory] = [mean(({ atMs }) => atMs), mean(({ anonymousMiB }) => anonymousMiB)];
  let [above, below] = [0, 0];
  for (const { atMs, anonymousMiB } of samples) {
    above += (atMs - time) * (anonymousMiB - memory);
    below += (atMs - time) ** 2;
  }
  return below === 0 ? 0 : above / below;
}
