/** Seeds to try beside the fixed ones when comparing with the stock daemon: `BULKHEAD_TEST_SEED`, if it is set. */
export const askedSeeds: readonly number[] = [process.env["BULKHEAD_TEST_SEED"]].flatMap((seed) =>
  seed === undefined ? [] : [Number(seed)],
);
