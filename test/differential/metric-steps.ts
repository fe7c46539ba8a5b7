import { view, type Step } from "./steps.ts";

/** What `ctr` prints, its numbers masked: which values there are, and of what kind; how much was used is chance. */
export function shapeOf(step: Step): Step {
  return view(step, (outcome) => {
    const { code, stdout, stderr } = outcome as { code: number; stdout: string; stderr: string };
    return { code, stderr, stdout: stdout.replaceAll(/\b\d[\d.]*\b/g, "n") };
  });
}

/** Values that are left out where they are 0, which is chance. */
const chance =
  /fail|dirty|writeback|mapped|cache|file|huge|maj|periods|throttled|user|kernel":|system|swap":|max":|anon|rss/;

/** The names of values that are printed as JSON, but for those that may be 0. */
export function keysOfJson(step: Step): Step {
  return view(step, (outcome) => {
    const { code, stdout } = outcome as { code: number; stdout: string };
    const keys = new Set((stdout.match(/"\w+":/g) ?? []).filter((key) => !chance.test(key)));
    return { code, keys: [...keys].toSorted() };
  });
}
