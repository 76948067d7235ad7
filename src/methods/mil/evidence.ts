/**
 * What a finished run leaves for its report: what the model says of the cases it never saw, beside baselines on the same
 * features, and the tiles it looked at.
 *
 * @module
 */

import { fitLogistic, logisticProbabilities } from "../../eval/logistic.ts";
import type { Table } from "../../eval/linalg/table.ts";
import {
  classificationOf,
  type JudgedCase,
  type JudgedPredictor,
  majorityClass,
} from "../../evidence/classification.ts";
import { classificationSummary } from "../../evidence/classification_summary.ts";
import type { Disk } from "../../io/disk.ts";
import { openFeatures } from "../../io/features.ts";
import type { AttentionTile, AttentionTiles } from "../../report/classification_evidence.ts";
import { EVIDENCE_SCHEMA, type MethodFacts, type Results } from "../../report/run_evidence.ts";
import type { LoopState } from "../../train/loop.ts";
import type { EvidenceContext, MethodEvidence } from "../method.ts";
import type { Bag } from "./bags.ts";
import type { MilConfig } from "./config.ts";
import type { MilData } from "./data.ts";
import { type BagResult, meanAttention } from "./inference.ts";
import { loadModel, type MilSession, softmax } from "./training.ts";

/** Names of the models in sentences. */
const LABELS: Readonly<Record<MilConfig["model"]["model"], string>> = {
  abmil: "ABMIL",
  gated: "Gated ABMIL",
  meanmil: "MeanMIL",
};

/** Cases whose tiles are shown, and tiles of each. */
const SHOWN = { cases: 6, tiles: 4 } as const;

/** Patho-Bench's weight of the loss against the penalty. */
const LOGISTIC_C = 0.5;

/** Loads the checkpoint that is judged and measures it on the test part. */
export async function milEvidence(
  session: MilSession,
  { folder, best, end }: EvidenceContext,
  disk: Disk,
): Promise<MethodEvidence> {
  const { data, config, model, gpu } = session;
  if (best) loadModel(model, best.read, best.path);
  const step = best && (best.state as { loop: LoopState }).loop.step;
  const { split, set, classes } = data;
  const said: BagResult[] = [];
  for (const bag of split.test) said.push(await session.run(bag));
  const fold = {
    name: data.fold,
    train: split.train.map((bag) => judgedCase(data, bag)),
    val: split.val.map((bag) => judgedCase(data, bag)),
    test: split.test.map((bag) => judgedCase(data, bag)),
  };
  const attention = await topTiles(session, said, disk);
  const { classification, files } = classificationOf({
    task: data.labels.column,
    classes,
    ordinal: config.input.ordinal,
    unit: config.input.sample_col === "case_id" ? "case" : "slide",
    features: `${config.input.features.map(lastName).join(", ")}, ${set.dim} numbers a tile`,
    folds: [fold],
    predictors: [
      {
        id: config.model.model,
        label: LABELS[config.model.model],
        role: "trained",
        note: noteOf(config, end.state.step),
        probabilities: [said.flatMap(({ output }) => softmax(output))],
      },
      meanLogistic(data),
      majorityClass([fold], classes.length),
    ],
    ...(attention && { attention }),
  });
  const { lines, json } = classificationSummary(classification);
  const results: Results = {
    schema: EVIDENCE_SCHEMA,
    encoders: [],
    classification,
    device: gpu.description,
    ...(data.notes.length > 0 && { notes: data.notes.map((text) => ({ text })) }),
  };
  return {
    parts: { results },
    facts: factsOf(config, { folder, step, steps: end.state.step, notes: data.notes }),
    precision: "f32",
    files,
    lines,
    json,
  };
}

/** The result of a finished run for the command's JSON. */
export function resultJson({ classification }: Results): Readonly<Record<string, unknown>> {
  return classification ? classificationSummary(classification).json : {};
}

/** Last name of a path. */
function lastName(path: string): string {
  return path.replace(/[/\\]+$/, "").split(/[/\\]/).pop()!;
}

function judgedCase({ set, of }: MilData, at: number): JudgedCase {
  const bag = set.bags[at]!;
  return { id: bag.name, patient: bag.case, slides: bag.files.map(({ slide }) => slide), label: of[at]! };
}

function noteOf({ model, optim }: MilConfig, steps: number): string {
  const attention = model.model === "meanmil"
    ? ""
    : `${model.heads} heads of ${model.hidden}, `.replace(/^1 heads/, "1 head");
  return `${attention}${steps} steps of ${optim.batch_size} bags, all tiles in the test`.replace(" 1 bags", " 1 bag");
}

/** Logistic regression on the mean of the tiles, as Patho-Bench fits it. */
function meanLogistic({ means, split, of, classes, set: { dim } }: MilData): JudgedPredictor {
  const rows = (bags: readonly number[]): Table => {
    const data = new Float64Array(bags.length * dim);
    bags.forEach((bag, i) => data.set(means[bag]!, i * dim));
    return { rows: bags.length, columns: dim, data };
  };
  const labels = split.train.map((bag) => of[bag]!);
  const model = fitLogistic(rows(split.train), labels, { c: LOGISTIC_C, balanced: true });
  return {
    id: "mean",
    label: "Mean + logistic",
    role: "baseline",
    note: `mean of the tiles, L2 logistic regression, C = ${LOGISTIC_C}, classes weigh the same`,
    probabilities: [logisticProbabilities(model, rows(split.test), classes.length)],
  };
}

/** Tiles with the most attention of the surest test cases; none where there is no attention, or no coordinates. */
async function topTiles(
  { config: { model }, data: { set, split, of } }: MilSession,
  said: readonly BagResult[],
  disk: Disk,
): Promise<AttentionTiles | undefined> {
  if (model.model === "meanmil") return undefined;
  const sure = said.map(({ output }, i) => softmax(output)[of[split.test[i]!]!]!);
  const order = [...sure.keys()].sort((a, b) => sure[b]! - sure[a]! || a - b).slice(0, SHOWN.cases);
  const tiles: AttentionTile[] = [];
  for (const i of order) {
    const bag = set.bags[split.test[i]!]!;
    const weights = meanAttention(said[i]!, bag.count);
    const top = [...weights.keys()].sort((a, b) => weights[b]! - weights[a]! || a - b).slice(0, SHOWN.tiles);
    for (const row of top) {
      const place = await placeOf(disk, bag, row);
      if (!place) return undefined;
      tiles.push({ case: bag.name, ...place, attention: weights[row]!, tiles: bag.count });
    }
  }
  return {
    predictor: model.model,
    chosen: `The ${SHOWN.tiles} tiles with the most attention of the ${order.length} test cases whose class is surest` +
      (model.heads > 1 ? "; the mean of the heads" : ""),
    tiles,
  };
}

/** Slide and top left of a row of a bag; undefined where its file has no coordinates. */
async function placeOf(
  disk: Disk,
  bag: Bag,
  row: number,
): Promise<Pick<AttentionTile, "slide" | "x" | "y"> | undefined> {
  let at = row;
  for (const { path, slide, rows } of bag.files) {
    if (at >= rows) {
      at -= rows;
      continue;
    }
    const file = await openFeatures(disk.open(path, "read"));
    try {
      return file.coords && { slide, x: file.coords[2 * at]!, y: file.coords[2 * at + 1]! };
    } finally {
      file.close();
    }
  }
  return undefined;
}

function factsOf(
  { model, input, optim }: MilConfig,
  { folder, step, steps, notes }: {
    folder: string;
    step: number | undefined;
    steps: number;
    notes: readonly string[];
  },
): MethodEvidence["facts"] {
  const label = LABELS[model.model];
  const method: MethodFacts = {
    name: "mil",
    label,
    use: {
      title: "Use it on new slides",
      code: `deno task predict --run ${folder} --features FEATURES --out predictions`,
    },
    ...(model.model !== "meanmil" && { citation: "Attention-based multiple instance learning: arXiv 1802.04712" }),
    columns: {
      loss: "Cross-entropy",
      auc: "AUC of the validation part",
      balanced_accuracy: "Balanced accuracy of the validation part",
      samples_per_second: "Bags a second",
    },
  };
  return {
    title: `${label} on ${input.target}`,
    method,
    seed: optim.seed,
    ...(step === undefined ? {} : { best_step: step }),
    stages: [{ name: "training", from: 0, to: steps }],
    warnings: notes.map((text) => ({ text })),
  };
}
