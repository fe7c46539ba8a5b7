/**
 * Upper bounds of the histogram of how long calls took, milliseconds: those of the Prometheus clients, which containerd
 * shows, and some below for calls that stay on the machine.
 */
export const latencyBoundsMs: readonly number[] = [
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
];

/** Which bucket counts a call that took so long; the one after the last bound counts what is over it. */
export function bucketOf(tookMs: number): number {
  let at = 0;
  while (tookMs > (latencyBoundsMs[at] ?? Number.POSITIVE_INFINITY)) at++;
  return at;
}
