import type { Outcome } from "./outcome.ts";
import type { Step, Target } from "./steps.ts";

/** Numbers of a snapshotter's folders in the order in which a case has shown them. */
const seen = new WeakMap<Target, string[]>();

/**
 * The same step with the numbers of snapshots' folders counted by their first appearance in the case: which numbers
 * failed attempts took is nobody's business.
 */
export function countedIds(step: Step): Step {
  return {
    title: step.title,
    run: async (target) => {
      const text = JSON.stringify(await step.run(target));
      const counted = text.replace(
        /(\/snapshots\/)(\d+)/g,
        (_, prefix: string, id: string) => prefix + orderOf(target, id),
      );
      return JSON.parse(counted) as Outcome;
    },
  };
}

function orderOf(target: Target, id: string): string {
  const ids = seen.get(target) ?? [];
  seen.set(target, ids);
  if (!ids.includes(id)) ids.push(id);
  return `<${ids.indexOf(id)}>`;
}
