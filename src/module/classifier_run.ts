/**
 * Trained runs that tell classes of slides or cases from stored features of their tiles.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { FoldTruth } from "../eval/cohort/scores.ts";
import { byName, namesOf, type SlideFeatures, type SlidesParts, SlidesRun, type Teller } from "./slides_run.ts";

/** What a run says of a slide. */
export interface ClassifiedSlide {
  /** The likeliest class. */
  readonly class: string;
  /** Of each class; they sum to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** Attention of each tile, the mean over heads; it sums to 1. Undefined of models without. */
  readonly attention: Float64Array | undefined;
}

/** A slide or case whose class is known. */
export interface LabelledSlide {
  /** Its tiles. */
  readonly features: SlideFeatures;
  /** Name of its class. */
  readonly label: string;
}

/** How classes fit what is known. */
export interface ClassifierScores {
  /** Slides or cases. */
  readonly cases: number;
  /** Mean over classes of the area under the ROC curve of each against the rest; null where a class has none, or all. */
  readonly auc: number | null;
  /** Mean recall of the classes. */
  readonly balancedAccuracy: number | null;
  /** Cases by true class (row) and predicted class (column), in order of {@linkcode ClassifierRun.classes}. */
  readonly confusion: readonly (readonly number[])[];
}

/** An open run of `method=mil` that tells classes. Close it, or declare it with `await using`. */
export class ClassifierRun extends SlidesRun<ClassifiedSlide, LabelledSlide, ClassifierScores> {
  /** Names of the classes. */
  readonly classes: readonly string[];

  /** Made by `openRun`. */
  constructor(parts: SlidesParts) {
    const classes = namesOf(parts.run.task);
    super(parts, classTeller(classes));
    this.classes = classes;
  }
}

function classTeller(classes: readonly string[]): Teller<ClassifiedSlide, LabelledSlide, ClassifierScores> {
  const classOf = (label: string): number => {
    const at = classes.indexOf(label);
    if (at >= 0) return at;
    throw new ConfigError(`Cannot evaluate label ${JSON.stringify(label)}: the run has no such class`, {
      hint: `Its classes are ${classes.join(", ")}`,
      context: { given: label, classes },
    });
  };
  const K = classes.length;
  return {
    wanted: "{ features, label }",
    named({ said, attention }) {
      const best = said.indexOf(Math.max(...said));
      return { class: classes[best]!, probabilities: byName(classes, said), attention };
    },
    truth: (known) => ({ kind: "classification", labels: known.map(({ label }) => classOf(label)), classes: K }),
    async judged({ truth, said, count }, scores) {
      const { confusionMatrix, predictedClasses } = await import("../eval/classification.ts");
      const { labels } = truth as FoldTruth & { kind: "classification" };
      const confusion = confusionMatrix(labels, predictedClasses({ labels, probabilities: said, classes: K }), K);
      return { cases: count, auc: scores.auc!, balancedAccuracy: scores.balanced_accuracy!, confusion };
    },
  };
}
