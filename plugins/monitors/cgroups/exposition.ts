import type { Family, Reading } from "./reading.ts";

export type Labels = Readonly<Record<string, string>>;

interface Lines {
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly samples: string[];
}

/** Prometheus text, limited in size: samples of one family stand together, as the format wants them. */
export class Exposition {
  readonly #families = new Map<string, Lines>();
  readonly #limitBytes: number;
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Adds all readings of one container, or none of them and gives false when the text would get too long. */
  add(labels: Labels, readings: readonly Reading[]): boolean {
    const samples = readings.map(({ family, value, labels: own }) => ({
      family,
      text: `${family.name}${formatLabels({ ...labels, ...own })} ${value}`,
    }));
    const bytes = samples.reduce((sum, { text }) => sum + Buffer.byteLength(text) + 1, 0);
    if (this.#bytes + bytes > this.#limitBytes) return false;
    this.#bytes += bytes;
    for (const { family, text } of samples) this.#linesOf(family, "gauge").push(text);
    return true;
  }

  addCounter(family: Family, labels: Labels, value: number): void {
    this.#linesOf(family, "counter").push(`${family.name}${formatLabels(labels)} ${value}`);
  }

  toString(): string {
    const lines = [...this.#families].flatMap(([name, { help, type, samples }]) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...samples,
    ]);
    return lines.map((line) => `${line}\n`).join("");
  }

  #linesOf({ name, help }: Family, type: Lines["type"]): string[] {
    const known = this.#families.get(name);
    if (known !== undefined) return known.samples;
    const samples: string[] = [];
    this.#families.set(name, { help, type, samples });
    return samples;
  }
}

/** In the order of their names, as containerd's. */
function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => `${key}="${escape(value)}"`);
  return `{${pairs.join(",")}}`;
}

function escape(value: string): string {
  return value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
