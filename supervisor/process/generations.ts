import { readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * The last generation of each package that has a log file in `<state>/log`. Its next one must not take the socket of
 * one that may still run, even when its record is lost.
 */
export function loggedGenerations(state: string): Map<string, number> {
  const last = new Map<string, number>();
  for (const file of namesIn(join(state, "log"))) {
    const [, name, generation] = /^(.+)\.(\d+)$/.exec(file) ?? [];
    if (name !== undefined) last.set(name, Math.max(Number(generation), last.get(name) ?? 0));
  }
  return last;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // the first start on this state folder
  }
}
