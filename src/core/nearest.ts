/**
 * The candidate a mistyped word was meant to be.
 *
 * @module
 */

/**
 * The candidate with the smallest edit distance to `word`, the shortest of several, if it is near enough to be a typing error.
 *
 * @param most Edits up to which it is; default a third of the word, at least 2.
 */
export function nearest(
  word: string,
  candidates: readonly string[],
  most: number = Math.max(2, Math.floor(word.length / 3)),
): string | undefined {
  let best: string | undefined;
  let least = most + 1;
  for (const candidate of candidates) {
    const distance = candidate.startsWith(word) && word.length > 1 ? 0 : editDistance(word, candidate);
    const shorter = distance === least && best !== undefined && candidate.length < best.length;
    if (distance < least || shorter) [best, least] = [candidate, distance];
  }
  return best;
}

/** Letters to add, leave out, replace, or swap with the next. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1, swapped ? before[j - 2]! + 1 : Infinity));
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
