/**
 * How well a linear classifier tells from which slide a spot comes: what is left of stain and scanner in the features (batch
 * effect). Beside a correlation it says how much of it may be slide identity.
 *
 * At most 100 spots a slide are taken, four fifths to train on, standardised, reduced to 64 principal components, and a
 * logistic regression fitted.
 *
 * @module
 */

import { shuffleSplit } from "../data/splits.ts";
import { fitLogistic, predictLogistic } from "./logistic.ts";
import { fitPca, pcaScores } from "./linalg/pca.ts";
import { fitStandardizer, standardize } from "./linalg/standardize.ts";
import { type Table, takeRows } from "./linalg/table.ts";

/** Spots of a slide that are looked at. */
const SPOTS = 100;
const COMPONENTS = 64;

/** Accuracy of the classifier; null with a reason where there is none. */
export interface SlideProbeResult {
  readonly accuracy: number | null;
  /** Accuracy of guessing the most frequent slide of the test spots. */
  readonly chance: number;
  readonly slides: number;
  readonly testSpots: number;
  readonly reason?: string;
}

/**
 * Classifies slides.
 *
 * @param slides Slide of each row.
 */
export async function slideProbe(features: Table, slides: ArrayLike<string | number>): Promise<SlideProbeResult> {
  const rowsOf = Map.groupBy(Array.from({ length: features.rows }, (_, r) => r), (r) => slides[r]!);
  const sides: { train: number[]; test: number[]; trainOf: number[]; testOf: number[] } = {
    train: [],
    test: [],
    trainOf: [],
    testOf: [],
  };
  for (const [label, rows] of [...rowsOf.values()].entries()) {
    const { test, train } = shuffleSplit(rows.length, 0);
    const part = (of: Uint32Array, most: number) => [...of.subarray(0, most)].map((i) => rows[i]!);
    const [a, b] = [part(train, SPOTS * 0.8), part(test, SPOTS * 0.2)];
    sides.train.push(...a);
    sides.test.push(...b);
    sides.trainOf.push(...a.map(() => label));
    sides.testOf.push(...b.map(() => label));
  }
  const { testOf } = sides;
  const counts = [...rowsOf.values()].map((_, label) => testOf.filter((of) => of === label).length);
  const common = {
    chance: Math.max(0, ...counts) / Math.max(1, testOf.length),
    slides: rowsOf.size,
    testSpots: testOf.length,
  };
  if (new Set(sides.trainOf).size < 2) return { ...common, accuracy: null, reason: "fewer than two slides" };
  const raw = takeRows(features, sides.train);
  const standardizer = fitStandardizer(raw);
  const seen = standardize(raw, standardizer);
  const pca = await fitPca(seen, COMPONENTS);
  const model = fitLogistic(pcaScores(pca, seen), sides.trainOf, { tolerance: 1e-4 });
  const predicted = predictLogistic(model, pcaScores(pca, standardize(takeRows(features, sides.test), standardizer)));
  return { ...common, accuracy: predicted.filter((label, i) => label === testOf[i]).length / testOf.length };
}
