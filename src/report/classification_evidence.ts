/**
 * The classification of cases, as a part of a run's results: what was classified on which folds, how well, and beside which
 * baselines. `src/evidence/classification.ts` makes it from labels and probabilities.
 *
 * @module
 */

/** Scores by name, in the order they are shown. Kappa is of ordered classes alone. */
export const CLASSIFICATION_SCORES = [
  "auc",
  "average_precision",
  "balanced_accuracy",
  "macro_f1",
  "weighted_f1",
  "kappa",
] as const;

/** Name of a score. */
export type ClassificationScore = (typeof CLASSIFICATION_SCORES)[number];

/** A split of the cases into those trained on and those judged. */
export interface ClassificationFold {
  readonly name: string;
  /** Cases of the parts. */
  readonly train: number;
  readonly val?: number;
  readonly test: number;
  /** Independent patients among the test cases. */
  readonly test_patients: number;
  /** Cases of each class. */
  readonly train_classes: readonly number[];
  readonly test_classes: readonly number[];
}

/** What a predictor scores on one fold; null where the fold does not define it. */
export interface FoldScores {
  readonly fold: string;
  readonly scores: Readonly<Partial<Record<ClassificationScore, number | null>>>;
  /** Area of each class against the others. */
  readonly auc_per_class: readonly (number | null)[];
  /** Test cases by true class (row) and predicted class (column). */
  readonly confusion: readonly (readonly number[])[];
  /** Why scores are null. */
  readonly reason?: string;
}

/** A score over the test cases of one fold, or over folds. */
export interface ClassificationEstimate {
  /** Of the one fold, or the mean over folds. Null with a reason where it is not defined. */
  readonly value: number | null;
  /** One fold: percentile interval of a bootstrap over `units`, at `level`, and the mean of its draws. */
  readonly low?: number;
  readonly high?: number;
  readonly level?: number;
  readonly draws?: number;
  readonly draws_mean?: number;
  /** Draws left out, which lack a class. */
  readonly draws_undefined?: number;
  /** Several folds: population deviation over them, and that divided by the root of their number. */
  readonly std?: number;
  readonly se?: number;
  readonly over: "folds" | "cases" | "patients";
  readonly units: number;
  readonly reason?: string;
}

/** One predictor on all folds. */
export interface Predictor {
  readonly id: string;
  readonly label: string;
  /** What was trained in this run, or what it must exceed. */
  readonly role: "trained" | "baseline";
  /** How it was made. */
  readonly note?: string;
  readonly scores: Readonly<Partial<Record<ClassificationScore, ClassificationEstimate>>>;
  readonly folds: readonly FoldScores[];
}

/** A trained predictor less a baseline, on the same cases. */
export interface ClassificationDifference {
  readonly score: ClassificationScore;
  readonly predictor: string;
  readonly baseline: string;
  readonly value: number;
  /** One fold: interval of a bootstrap that draws the same units for both. */
  readonly low?: number;
  readonly high?: number;
  readonly level?: number;
  /** One fold of two classes, every case its own patient: DeLong's standard error and two-sided p of the areas. */
  readonly delong_se?: number;
  readonly delong_p?: number;
  /** Several folds: each fold's difference, their standard error, and on how many either is better. */
  readonly by_fold?: readonly (number | null)[];
  readonly se?: number;
  readonly better?: number;
  readonly worse?: number;
  readonly reason?: string;
}

/** Cases classified. */
export interface ClassificationResults {
  /** What is classified: the column of the labels. */
  readonly task: string;
  /** Names of the classes by index. */
  readonly classes: readonly string[];
  /** Whether the order of the classes means something. */
  readonly ordinal: boolean;
  /** What is judged: a case may have several slides. */
  readonly unit: "case" | "slide";
  /** Cases, patients and slides of all folds and parts. */
  readonly cases: number;
  readonly patients: number;
  readonly slides: number;
  /** Which features: `uni_v2, 20x, 256 px`. */
  readonly features?: string;
  readonly folds: readonly ClassificationFold[];
  /** Cases judged in more than one fold: scores of such folds are not independent. */
  readonly overlap: number;
  readonly predictors: readonly Predictor[];
  readonly differences: readonly ClassificationDifference[];
  /** File of what is said of each case, below the run's folder. */
  readonly predictions?: string;
}
