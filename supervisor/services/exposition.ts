import { parseExposition } from "./exposition-text.ts";

/** A metric with its samples, as the Prometheus text format groups them. */
export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Whole lines `name{labels} value [timestamp]`, without newline. */
  readonly samples: string[];
}

export type LabelValues = Readonly<Record<string, string>>;

/** Families by name, in the order they were first named; one place of a name for all who contribute. */
export class Exposition {
  readonly #families = new Map<string, MetricFamily>();
  /** Series that were given already: a scrape with a series twice is refused whole by Prometheus. */
  readonly #series = new Set<string>();

  /** Starts a family, or goes on with it. */
  family(name: string, type: string, help: string): (labels: LabelValues, value: number) => void {
    return this.part(name, type, help, "");
  }

  /** A part of a histogram's or summary's family, such as its `_sum`. */
  part(name: string, type: string, help: string, suffix: string): (labels: LabelValues, value: number) => void {
    const family = this.#familyOf(name, type, help);
    return (labels, value) => this.#add(family, `${name}${suffix}${formatLabels(labels)}`, formatValue(value));
  }

  /** Merges text that a package gave; lines that are no metrics and series given already are left out. */
  merge(text: string): void {
    for (const { family, type, help, series, value } of parseExposition(text)) {
      this.#add(this.#familyOf(family, type, help), series, value);
    }
  }

  /** The text of a scrape. */
  toString(): string {
    const lines: string[] = [];
    for (const { name, type, help, samples } of this.#families.values()) {
      if (samples.length === 0) continue;
      if (help !== "") lines.push(`# HELP ${name} ${help}`);
      lines.push(`# TYPE ${name} ${type}`, ...samples);
    }
    return `${lines.join("\n")}\n`;
  }

  #familyOf(name: string, type: string, help: string): MetricFamily {
    const known = this.#families.get(name);
    if (known !== undefined) return known;
    const made: MetricFamily = { name, type, help, samples: [] };
    this.#families.set(name, made);
    return made;
  }

  #add(family: MetricFamily, series: string, value: string): void {
    if (this.#series.has(series)) return;
    this.#series.add(series);
    family.samples.push(`${series} ${value}`);
  }
}

function formatLabels(labels: LabelValues): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}
