/** What node's runner says at the end of each file, and once for the whole run. */
export interface Summary {
  readonly file?: string | undefined;
  readonly success: boolean;
  readonly duration_ms: number;
  readonly counts: {
    readonly tests: number;
    readonly suites: number;
    readonly passed: number;
    /** Told by node, not in its types. */
    readonly failed?: number;
    readonly cancelled: number;
    readonly skipped: number;
    readonly todo: number;
  };
}

const slowestShown = 10;

/** Adds up the files of one run. */
export class Tally {
  readonly #files: { file: string; ms: number }[] = [];
  #total: Summary | undefined;

  add(summary: Summary): void {
    if (summary.file === undefined) this.#total = summary;
    else this.#files.push({ file: summary.file, ms: summary.duration_ms });
  }

  /** Nothing failed, and the files given really held tests. */
  succeeded(fileCount: number): boolean {
    return this.#total !== undefined && this.#total.success && this.#total.counts.tests >= fileCount && fileCount > 0;
  }

  /** The slowest files, then node's own closing lines. */
  report(nameOf: (file: string) => string): string[] {
    const slowest = this.#files.toSorted((one, other) => other.ms - one.ms).slice(0, slowestShown);
    const counts = this.#total?.counts;
    return [
      "",
      "slowest files:",
      ...slowest.map(({ file, ms }) => `${(ms / 1000).toFixed(1).padStart(7)} s  ${nameOf(file)}`),
      "",
      `# tests ${counts?.tests ?? 0}`,
      `# suites ${counts?.suites ?? 0}`,
      `# pass ${counts?.passed ?? 0}`,
      `# fail ${counts?.failed ?? 0}`,
      `# cancelled ${counts?.cancelled ?? 0}`,
      `# skipped ${counts?.skipped ?? 0}`,
      `# todo ${counts?.todo ?? 0}`,
      `# duration_ms ${Math.round(this.#total?.duration_ms ?? 0)}`,
    ];
  }
}
