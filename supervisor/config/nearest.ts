/** Edits beyond which another word was meant. */
const editLimit = 2;

/** The candidate most like `word`, if it may have been meant; ties go to the first. */
export function nearestWord(word: string, candidates: Iterable<string>): string | undefined {
  const limit = Math.min(editLimit, Math.max(1, Math.floor(word.length / 3)));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const distance = editDistance(fold(word), fold(candidate), bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** A hint for an unknown word, or "". */
export function suggest(word: string, candidates: Iterable<string>): string {
  const nearest = nearestWord(word, candidates);
  return nearest === undefined ? "" : `did you mean "${nearest}"?`;
}

/** Case, dashes and underscores are the usual slips: they cost nothing. */
function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, "");
}

/** Longest word compared; longer ones are never near. */
const wordLimit = 128;

/** Edits (insert, delete, replace, swap of neighbours) from `a` to `b`; `bound` when there are that many or more. */
function editDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) >= bound || a.length > wordLimit) return bound;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(at(previous, j) + 1, at(row, j - 1) + 1, at(previous, j - 1) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, at(before, j - 2) + 1);
      row.push(cost);
    }
    [before, previous] = [previous, row];
  }
  return Math.min(at(previous, b.length), bound);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
