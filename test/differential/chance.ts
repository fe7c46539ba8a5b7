/** Numbers that look like chance and are the same on each run (mulberry32). Gives 0 to `below` - 1. */
export function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** `count` texts of 1 to `longest` words each. */
export function textsOf(words: readonly string[], longest: number, count: number, seed: number): readonly string[] {
  const next = numbersFrom(seed);
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + next(longest) }, () => words[next(words.length)] ?? "").join(""),
  );
}
