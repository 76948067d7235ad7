/**
 * Trained runs that tell numbers of slides or cases from stored features of their tiles.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { FoldTruth, Scores } from "../eval/cohort/scores.ts";
import { byName, namesOf, type SlideFeatures, type SlidesParts, SlidesRun, type Teller } from "./slides_run.ts";

/** What a run says of a slide. */
export interface NumbersOfSlide {
  /** By target, on the scale of the table it was trained on. */
  readonly values: Readonly<Record<string, number>>;
  /** Attention of each tile, the mean over heads; it sums to 1. Undefined of models without. */
  readonly attention: Float64Array | undefined;
}

/** A slide or case whose numbers are known. */
export interface MeasuredSlide {
  /** Its tiles. */
  readonly features: SlideFeatures;
  /** By target, all of them. */
  readonly values: Readonly<Record<string, number>>;
}

/** How numbers of a target fit what is known; null where they do not define a score. */
export interface TargetScores {
  /** Correlation. */
  readonly pearson: number | null;
  /** Correlation of ranks. */
  readonly spearman: number | null;
  /** Share of the variance of what is known that is told. */
  readonly r2: number | null;
  /** Mean squared error, on the scale of the table. */
  readonly mse: number | null;
}

/** How numbers fit what is known. */
export interface RegressionScores extends TargetScores {
  /** Slides or cases. */
  readonly cases: number;
  /** By target; the scores beside it are their means. */
  readonly targets: Readonly<Record<string, TargetScores>>;
}

/** An open run of `method=mil` that tells numbers. Close it, or declare it with `await using`. */
export class RegressionRun extends SlidesRun<NumbersOfSlide, MeasuredSlide, RegressionScores> {
  /** Names of the targets. */
  readonly targets: readonly string[];

  /** Made by `openRun`. */
  constructor(parts: SlidesParts) {
    const targets = namesOf(parts.run.task);
    super(parts, numberTeller(targets));
    this.targets = targets;
  }
}

function numberTeller(targets: readonly string[]): Teller<NumbersOfSlide, MeasuredSlide, RegressionScores> {
  const columns = targets.length;
  const scoresBy = ({ pearson, spearman, r2, mse }: Scores): TargetScores => ({
    pearson: pearson!,
    spearman: spearman!,
    r2: r2!,
    mse: mse!,
  });
  return {
    wanted: "{ features, values }",
    named: ({ said, attention }) => ({ values: byName(targets, said), attention }),
    truth(known) {
      const data = known.flatMap(({ values }, i) =>
        targets.map((name) => {
          const value = values?.[name];
          if (Number.isFinite(value)) return value!;
          throw new ConfigError(`Cannot evaluate slide ${i}: ${name} is ${value}, wanted a number`, {
            hint: `Its targets are ${targets.join(", ")}`,
            context: { slide: i, target: name },
          });
        })
      );
      const values = { rows: known.length, columns, data: Float64Array.from(data) };
      return { kind: "regression", values, training: { rows: 0, columns, data: new Float64Array() } };
    },
    async judged({ truth, said, count }, scores) {
      const { targetScores } = await import("../eval/cohort/scores.ts");
      const at = Array.from({ length: count }, (_, i) => i);
      const each = targetScores(truth as FoldTruth & { kind: "regression" }, said, at);
      const own = Object.fromEntries(targets.map((name, k) => [name, scoresBy(each[k]!)]));
      return { cases: count, ...scoresBy(scores), targets: own };
    },
  };
}
