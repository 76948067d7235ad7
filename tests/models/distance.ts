import assert from "node:assert/strict";

/** How far two tables of features are apart. */
export interface Distance {
  cosine: number;
  relative: number;
}

/** Smallest cosine of a row and largest difference by the root mean square. */
export function distance(got: ArrayLike<number>, wanted: ArrayLike<number>, rows: number): Distance {
  const width = wanted.length / rows;
  let [power, worst, cosine] = [0, 0, 1];
  for (let r = 0; r < rows; r++) {
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = r * width; i < (r + 1) * width; i++) {
      ab += got[i]! * wanted[i]!;
      aa += got[i]! ** 2;
      bb += wanted[i]! ** 2;
      worst = Math.max(worst, Math.abs(got[i]! - wanted[i]!));
    }
    power += bb;
    cosine = Math.min(cosine, ab / Math.sqrt(aa * bb));
  }
  assert.equal(got.length, wanted.length);
  return { cosine, relative: worst / Math.sqrt(power / wanted.length) };
}
