/** Delay after the first end of a part that never became ready, and the longest, in milliseconds. */
const firstDelayMs = 100;
const longestDelayMs = 5000;

/** Milliseconds until a part that ended starts again; `failures`: its ends in a row without having been ready. */
export function restartDelayMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(firstDelayMs * 2 ** (failures - 1), longestDelayMs);
}
