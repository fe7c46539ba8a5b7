import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fixturesCache } from "../../../scripts/peers/folders.ts";
import { Child } from "../../harness/child.ts";

/** What came of one case of h2spec. */
export interface Outcome {
  readonly id: string;
  readonly title: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** What was seen instead of what should have been. */
  readonly detail: string;
}

const runMs = 240_000;

/**
 * Runs all cases against `socket`; the outcomes by id. `output` is a file of the caller's; `timeoutMs` is what an answer
 * may take.
 */
export async function runH2spec(
  socket: string,
  path: string,
  output: string,
  timeoutMs: number,
): Promise<ReadonlyMap<string, Outcome>> {
  const program = join(fixturesCache, "go-h2spec/bin/h2spec");
  const limit = `${timeoutMs}ms`;
  await using child = new Child(program, ["-socket", socket, "-path", path, "-output", output, "-timeout", limit]);
  const { code } = await child.waitForExit(runMs);
  if (code !== 0) throw new Error(`h2spec ended with ${code}:\n${child.output.text}`);
  const outcomes = JSON.parse(await readFile(output, "utf8")) as readonly Outcome[];
  return new Map(outcomes.map((each) => [each.id, each]));
}
