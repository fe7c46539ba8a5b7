import type { RestartPolicy } from "../config/manifest.ts";

/** Doublings after which a number of milliseconds is beyond any maximum. */
const mostDoublings = 30;

/**
 * Milliseconds to wait before the next start after `failures` (1 or more) in a row: full jitter, so anything from 0 to
 * a ceiling of `min` that doubles up to `max`. Many that fail together must not come back together.
 * `random` gives 0 to 1.
 */
export function backoffMs(policy: RestartPolicy, failures: number, random: () => number): number {
  const ceiling = Math.min(policy.maxMs, policy.minMs * 2 ** Math.min(failures - 1, mostDoublings));
  return Math.round(random() * ceiling);
}
