import type { ConfigProblem } from "./problem.ts";
import { formatPath, type KeyPath, type Position, type Source } from "./source.ts";

/** Problems of one file that are told; more help nobody. */
export const problemLimit = 200;

/** What is wrong with one file, collected while it is checked, so that all is told at once. */
export class ProblemList {
  readonly source: Source;
  readonly #found: ConfigProblem[];
  readonly #entry: string | undefined;

  constructor(source: Source, found: ConfigProblem[] = [], entry?: string) {
    this.source = source;
    this.#found = found;
    this.#entry = entry;
  }

  /** The same list for one entry: errors fail that entry only. */
  forEntry(entry: string): ProblemList {
    return new ProblemList(this.source, this.#found, entry);
  }

  error(path: KeyPath, message: string, hint = ""): void {
    this.#add("error", path, message, hint);
  }

  warn(path: KeyPath, message: string, hint = ""): void {
    this.#add("warning", path, message, hint);
  }

  /** An error of the file as a whole, at a place that its parser told. */
  at({ line, column }: Position, message: string, hint: string): void {
    const { file } = this.source;
    this.#found.push({ severity: "error", file, line, column, path: "", message, hint, entry: this.#entry });
  }

  /** All so far, in order. */
  get found(): readonly ConfigProblem[] {
    return this.#found;
  }

  get hasErrors(): boolean {
    return this.#found.some(({ severity }) => severity === "error");
  }

  /** Whether this entry has errors (see `forEntry`). */
  get entryHasErrors(): boolean {
    return this.#found.some(({ severity, entry }) => severity === "error" && entry === this.#entry);
  }

  #add(severity: ConfigProblem["severity"], path: KeyPath, message: string, hint: string): void {
    const { file } = this.source;
    // An error past the limit must still count as one.
    if (this.#found.length >= problemLimit && (severity === "warning" || this.entryHasErrors)) return;
    const { line, column } = this.source.locate(path);
    this.#found.push({ severity, file, line, column, path: formatPath(path), message, hint, entry: this.#entry });
  }
}
