/** One thing wrong with a config or manifest file, pointing into it. */
export interface ConfigProblem {
  /** warning: odd but usable; `--strict` makes errors of these. */
  readonly severity: "error" | "warning";
  /** Path of the file; "" for what came from a flag or a default. */
  readonly file: string;
  /** From 1; 0: the whole file. */
  readonly line: number;
  readonly column: number;
  /** Key in the file, dotted; "" for the whole file. */
  readonly path: string;
  readonly message: string;
  /** What to do; may be empty. */
  readonly hint: string;
  /** The one entry that this fails, like `packages.acme`; undefined: the whole file. */
  readonly entry: string | undefined;
}

/** The config cannot be used. Its message names every error, one a line. The daemon's exit code for it is 78. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** Errors and warnings, in file order. */
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(
      problems
        .filter(({ severity }) => severity === "error")
        .map(describeProblem)
        .join("\n"),
    );
    this.problems = problems;
  }
}

/** `file:line:column: key: message; hint`, leaving out what is not known. */
export function describeProblem({ file, line, column, path, message, hint }: ConfigProblem): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  const text = hint === "" ? message : `${message}; ${hint}`;
  return [place, path, text].filter((part) => part !== "").join(": ");
}

/** Whether the problem makes the whole file unusable. */
export function isFatal({ severity, entry }: ConfigProblem): boolean {
  return severity === "error" && entry === undefined;
}
