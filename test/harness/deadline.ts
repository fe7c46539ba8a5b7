/** What a wait of a test may take when nothing else is said, in milliseconds. */
export const defaultDeadlineMs = 20_000;

/** Waits for `work`, at most `ms`; then rejects with a text naming what was waited for. */
export async function within<T>(what: string, work: Promise<T>, ms: number = defaultDeadlineMs): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** How often long tests repeat: `count` times BULKHEAD_TEST_SCALE, at least once. */
export function scaled(count: number): number {
  return Math.max(1, Math.round(count * Number(process.env["BULKHEAD_TEST_SCALE"] ?? "1")));
}
