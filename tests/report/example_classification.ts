/** A run that classifies cases, as a user has it: labels and probabilities are drawn, scores are computed from them. */

import { Rng } from "../../src/core/rng.ts";
import {
  classificationOf,
  type JudgedCase,
  type JudgedPredictor,
  majorityClass,
} from "../../src/evidence/classification.ts";
import type { AttentionEvidence } from "../../src/report/attention_evidence.ts";
import type { RunEvidence } from "../../src/report/run_evidence.ts";

/** How large the run is. */
export interface ExampleClassification {
  readonly folds: number;
  readonly test: number;
  readonly classes: readonly string[];
  readonly ordinal?: boolean;
}

/** Makes its evidence. */
export function exampleClassification({ folds, test, classes, ordinal = false }: ExampleClassification): RunEvidence {
  const rng = new Rng(11);
  const cases = (count: number, prefix: string): JudgedCase[] =>
    Array.from({ length: count }, (_, i) => ({
      id: `${prefix}-${String(i).padStart(3, "0")}`,
      patient: `P-${prefix}-${i >> 1}`,
      slides: [`${prefix}-${i}-A`],
      label: Math.min(classes.length - 1, Math.floor(rng.uniform() ** 1.4 * classes.length)),
    }));
  const parts = Array.from({ length: folds }, (_, f) => ({
    name: `fold_${f}`,
    train: cases(4 * test, `T${f}`),
    test: cases(test, `C${f}`),
  }));
  const predictor = (id: string, label: string, role: JudgedPredictor["role"], skill: number): JudgedPredictor => ({
    id,
    label,
    role,
    note: role === "trained" ? "ungated attention, 512 hidden" : "mean of the tiles, L2 logistic regression",
    probabilities: parts.map(({ test }) =>
      test.flatMap((one) => {
        const raw = classes.map((_, k) => Math.exp((k === one.label ? skill : 0) + rng.normal()));
        const all = raw.reduce((a, b) => a + b, 0);
        return raw.map((value) => value / all);
      })
    ),
  });
  const { classification } = classificationOf({
    task: "PIK3CA_mutation",
    classes,
    ordinal,
    unit: "case",
    features: "uni_v2, 20x, 256 px",
    folds: parts,
    predictors: [
      predictor("abmil", "ABMIL", "trained", 1.7),
      predictor("mean", "Mean + logistic", "baseline", 0.9),
      majorityClass(parts, classes.length),
    ],
  });
  const steps = 200;
  return {
    config: "method: mil\n",
    metrics: Array.from({ length: steps }, (_, i) => [
      {
        step: i + 1,
        epoch: i / 10,
        stage: "train",
        split: "train",
        loss: 0.7 * Math.exp(-i / 90) + 0.05 * rng.uniform(),
        lr: 3e-4 * (1 - i / steps),
      },
      ...((i + 1) % 40 === 0 ? [{ step: i + 1, epoch: i / 10, stage: "train", split: "val", auc: 0.6 + i / 900 }] : []),
    ]).flat(),
    facts: {
      schema: 1,
      title: "ABMIL on PIK3CA_mutation",
      status: "finished",
      method: {
        name: "mil",
        label: "ABMIL",
        citation: "Attention-based multiple-instance learning: arXiv 1802.04712",
        columns: { loss: "Cross-entropy" },
        use: { title: "Use it", code: "deno task predict FEATURES --run runs/mil" },
      },
      seconds: 74,
      seed: 1,
    },
    results: { schema: 1, encoders: [], classification },
    attention: exampleAttention(parts[0]!.test.slice(0, 4).map(({ id }) => id)),
  };
}

/** Attention of cases, the first two with images, the last without places. */
function exampleAttention(ids: readonly string[]): AttentionEvidence {
  const rng = new Rng(5);
  const image = (width: number, height: number) => ({
    width,
    height,
    data: Uint8Array.from({ length: 3 * width * height }, () => rng.below(256)),
  });
  const tile = (i: number, t: number, weight: number, more: object) => ({
    ...{ slide: `${ids[i]}-A`, attention: weight, ...(i < 3 && { x: 1024 * (7 * i + t), y: 512 * (11 + 3 * t) }) },
    ...more,
  });
  const images = new Map<string, ReturnType<typeof image>>([["map.png", image(320, 200)], ["tile.png", image(96, 96)]]);
  return {
    schema: 1,
    model: "ABMIL",
    chosen: "the 3 surest test cases whose class is right",
    cases: ids.map((id, i) => ({
      ...{ case: id, fold: "fold_0", truth: "mutated", said: "mutated with probability 0.93", right: i % 2 === 0 },
      tiles: 1840,
      slides: [{
        ...{ slide: `${id}-A`, tiles: 1840, over: i === 0, quarters: [1e-9, 1e-6, 2e-5, 4e-4, 0.12] },
        ...(i < 2 && { map: "map.png" }),
      }],
      highest: [0, 1, 2].map((t) => tile(i, t, 0.12 / (t + 1), i === 0 ? { image: "tile.png" } : {})),
      lowest: [0, 1, 2].map((t) => tile(i, t, 1e-9 * (t + 1), i === 0 ? { image: "tile.png" } : {})),
    })),
    leave_out: {
      what: "probability of the class that the whole case is given",
      shares: [0, 0.01, 0.05, 0.1, 0.2],
      draws: 5,
      cases: ids.map((id, i) => ({
        case: id,
        highest: [0.9, 0.7, 0.5, i === 1 ? null : 0.4, 0.3],
        lowest: [0.9, 0.9, 0.9, 0.91, 0.92],
        random: [0.9, 0.9, 0.89, 0.88, 0.85],
      })),
    },
    images,
  };
}
