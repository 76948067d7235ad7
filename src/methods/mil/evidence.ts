/**
 * What a finished run leaves for its report: what the model says of the cases it never saw, beside baselines on the same
 * features, and the tiles it looked at.
 *
 * @module
 */

import { fitLogistic, logisticProbabilities } from "../../eval/logistic.ts";
import { evaluateCohort, type TrainedModel } from "../../eval/cohort/evaluate.ts";
import { cohortJson, cohortText } from "../../eval/cohort/output.ts";
import type { UnitTargets } from "../../eval/cohort/cohort.ts";
import { takeRows } from "../../eval/linalg/table.ts";
import {
  classificationOf,
  type JudgedCase,
  type JudgedPredictor,
  majorityClass,
} from "../../evidence/classification.ts";
import { classificationSummary } from "../../evidence/classification_summary.ts";
import type { Disk } from "../../io/disk.ts";
import { EVIDENCE, EVIDENCE_SCHEMA, type MethodFacts, type Results } from "../../report/run_evidence.ts";
import type { LeaveOut as LeaveOutFacts } from "../../report/attention_evidence.ts";
import type { LoopState } from "../../train/loop.ts";
import type { EvidenceContext, FileContent, MethodEvidence } from "../method.ts";
import { attentionFile, bySlides } from "./attention_files.ts";
import type { MilConfig } from "./config.ts";
import type { MilData } from "./data.ts";
import { meanAttention } from "./inference.ts";
import { type JudgedBy, LeftOutCases } from "./left_out_cases.ts";
import { milDefaults } from "./model.ts";
import { outputsText } from "./outputs.ts";
import { shownAttention, type ShownRequest } from "./shown_attention.ts";
import { loadModel, type MilSession } from "./training.ts";

/** Names of the models in sentences. */
export const MODEL_LABELS: Readonly<Record<MilConfig["model"]["model"], string>> = {
  abmil: "ABMIL",
  gated: "Gated ABMIL",
  meanmil: "MeanMIL",
  clam: "CLAM-SB",
};

/** Cases that are shown on each side. */
const SHOWN = 3;
/** Cases that are shown of a run at most. */
export const SHOWN_CASES = 2 * SHOWN;

/** Patho-Bench's weight of the loss against the penalty. */
const LOGISTIC_C = 0.5;

/** What is said of a test bag. */
interface Judged {
  readonly bag: number;
  readonly said: readonly number[];
  /** Of its tiles, the mean over heads; none of a model without. */
  readonly attention: Float32Array;
}

/** The judged part of the evidence. */
interface Part {
  readonly results: Partial<Results>;
  readonly files: ReadonlyMap<string, string>;
  readonly lines: readonly string[];
  readonly json: Readonly<Record<string, unknown>>;
}

/** Loads the checkpoint that is judged and measures it on the test part. */
export async function milEvidence(
  session: MilSession,
  { folder, best, end }: EvidenceContext,
  disk: Disk,
): Promise<MethodEvidence> {
  const { data, config, model, gpu, task } = session;
  if (best) loadModel(model, best.read, best.path);
  const step = best && (best.state as { loop: LoopState }).loop.step;
  const files = new Map<string, FileContent>();
  const { judged, left } = await judgeTest(session, disk, files);
  files.set(
    EVIDENCE.outputs,
    outputsText({
      fold: data.fold,
      bags: judged.map(({ bag, said }) => {
        const { name, count } = data.set.bags[bag]!;
        return { name, tiles: count, output: said };
      }),
    }),
  );
  const part = data.targets.kind === "classification"
    ? classified(session, data.targets, judged, end.state.step)
    : await scored(session, judged, end.state.step);
  for (const [path, text] of part.files) files.set(path, text);
  const label = MODEL_LABELS[config.model.model];
  const seen = config.model.model === "meanmil"
    ? undefined
    : await shownAttention(session, { ...shownOf(session, judged), left, model: label }, disk);
  for (const [path, content] of seen?.files ?? []) files.set(path, content);
  const notes = [...data.notes, ...task.notes, ...seen?.notes ?? []].map((text) => ({ text }));
  const results: Results = {
    schema: EVIDENCE_SCHEMA,
    encoders: [],
    ...part.results,
    device: gpu.description,
    ...(notes.length > 0 && { notes }),
  };
  return {
    identity: {
      encoder: data.madeBy,
      split: (["train", "val", "test"] as const).flatMap((part) =>
        data.split[part].map((bag) => [data.set.bags[bag]!.name, part] as const)
      ),
    },
    parts: { results },
    facts: factsOf(session, { folder, step, steps: end.state.step, notes }),
    precision: "f32",
    files,
    lines: part.lines,
    json: part.json,
  };
}

/** Runs the model on the test bags. Of each is kept what it says and its attention; the files of that are made when they are written. */
async function judgeTest(
  session: MilSession,
  disk: Disk,
  files: Map<string, FileContent>,
): Promise<{ judged: readonly Judged[]; left: LeaveOutFacts | undefined }> {
  const { data: { set, split }, config, task } = session;
  const attends = config.model.model !== "meanmil";
  const judged: Judged[] = [];
  const without = attends ? await LeftOutCases.open(session, judgedBy(session)) : undefined;
  try {
    for (const bag of split.test) {
      const result = await session.run(bag);
      const own = set.bags[bag]!;
      const attention = Float32Array.from(attends ? meanAttention(result, own.count) : []);
      for (const one of attends ? bySlides(own, attention) : []) {
        files.set(`${EVIDENCE.attention}/${one.file.slide}.h5`, () => attentionFile(disk, one));
      }
      await without?.add(bag, result);
      judged.push({ bag, said: task.said(result.output), attention });
    }
    return { judged, left: without?.facts() };
  } finally {
    without?.close();
  }
}

/** Which features, in words. */
function featuresText({ config, data: { set } }: MilSession): string {
  return `${config.input.features.map(lastName).join(", ")}, ${set.dim} numbers a tile`;
}

function classified(
  session: MilSession,
  { classes, labels }: Extract<UnitTargets, { kind: "classification" }>,
  judged: readonly Judged[],
  steps: number,
): Part {
  const { config, data } = session;
  const { split } = data;
  const cases = (bags: readonly number[]) => bags.map((bag) => judgedCase(data, bag, labels));
  const fold = { name: data.fold, train: cases(split.train), val: cases(split.val), test: cases(split.test) };
  const { classification, files } = classificationOf({
    task: data.labels.task.columns[0]!,
    classes,
    ordinal: config.input.ordinal,
    unit: data.labels.task.of,
    features: featuresText(session),
    folds: [fold],
    predictors: [
      {
        id: config.model.model,
        label: MODEL_LABELS[config.model.model],
        role: "trained",
        note: noteOf(config, `${steps} steps`),
        probabilities: [judged.flatMap(({ said }) => said)],
      },
      meanLogistic(data, labels, classes.length),
      majorityClass([fold], classes.length),
    ],
  });
  const { lines, json } = classificationSummary(classification);
  return { results: { classification }, files, lines, json };
}

/** Survival and regression: the same judgement that cohorts have, on one fold. */
async function scored({ config, data }: MilSession, judged: readonly Judged[], steps: number): Promise<Part> {
  const { set, split, targets, means, fold } = data;
  const source = config.input.features.map(lastName).join(", ");
  const trained: TrainedModel = {
    id: config.model.model,
    label: MODEL_LABELS[config.model.model],
    note: noteOf(config, `${steps} steps`),
    source,
    outputs: new Map([[fold, [Float64Array.from(judged.flatMap(({ said }) => said))]]]),
  };
  const units = set.bags.map((bag) => ({
    name: bag.name,
    case: bag.case,
    slides: bag.files.map(({ slide }) => slide),
  }));
  const cohort = { units, targets, folds: [{ name: fold, train: split.train, test: split.test }] };
  const found = await evaluateCohort(cohort, [{ name: source, x: means }], { trained: [trained] });
  const json = cohortJson(found);
  const text = `${JSON.stringify(json, undefined, 2)}\n`;
  return {
    results: {},
    files: new Map([[EVIDENCE.cohort, text]]),
    lines: cohortText(found),
    json: { cohort: json },
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

function judgedCase({ set }: MilData, at: number, labels: readonly number[]): JudgedCase {
  const bag = set.bags[at]!;
  return { id: bag.name, patient: bag.case, slides: bag.files.map(({ slide }) => slide), label: labels[at]! };
}

/** How a model was trained, in words. */
export function noteOf({ model, optim }: MilConfig, length: string): string {
  const hidden = model.hidden ?? milDefaults(model.model).hidden;
  const attention = model.model === "meanmil"
    ? ""
    : `${model.heads} heads of ${hidden}, `.replace(/^1 heads/, "1 head");
  return `${attention}${length} of ${optim.batch_size} bags a step, all tiles in the test`.replace(" 1 bags", " 1 bag");
}

/** Logistic regression on the mean of the tiles, as Patho-Bench fits it. */
function meanLogistic({ means, split }: MilData, labels: readonly number[], classes: number): JudgedPredictor {
  const trained = split.train.map((bag) => labels[bag]!);
  const model = fitLogistic(takeRows(means, split.train), trained, { c: LOGISTIC_C, balanced: true });
  return {
    id: "mean",
    label: "Mean + logistic",
    role: "baseline",
    note: `mean of the tiles, L2 logistic regression, C = ${LOGISTIC_C}, classes weigh the same`,
    probabilities: [logisticProbabilities(model, takeRows(means, split.test), classes)],
  };
}

/** What a case is judged by where tiles are left out. */
export function judgedBy({ data: { targets }, task }: Pick<MilSession, "data" | "task">): JudgedBy {
  if (targets.kind === "classification") {
    const best = (said: readonly number[]) => said.indexOf(Math.max(...said));
    return {
      what: "probability of the class that the whole case is given",
      value: (whole, output) => task.said(output)[best(task.said(whole))]!,
    };
  }
  return {
    what: targets.kind === "survival" ? "change of the risk" : "change of the prediction, mean over targets",
    value(whole, output) {
      const [a, b] = [task.said(whole), task.said(output)];
      return a.reduce((sum, value, k) => sum + Math.abs(value - b[k]!), 0) / a.length;
    },
  };
}

/** Cases that are shown. */
function shownOf(
  { data: { targets }, task }: MilSession,
  judged: readonly Judged[],
): Pick<ShownRequest, "chosen" | "shown"> {
  const first = ({ said }: Judged) => said[0]!;
  const ends = (list: readonly Judged[]) => [...new Set([...list.slice(0, SHOWN), ...list.slice(-SHOWN).reverse()])];
  if (targets.kind === "classification") {
    const { classes, labels } = targets;
    const best = (said: readonly number[]) => said.indexOf(Math.max(...said));
    const order = judged.toSorted((a, b) => Math.max(...b.said) - Math.max(...a.said) || a.bag - b.bag);
    const right = ({ bag, said }: Judged) => best(said) === labels[bag];
    const shown = [...order.filter(right).slice(0, SHOWN), ...order.filter((one) => !right(one)).slice(0, SHOWN)];
    return {
      chosen:
        `the ${SHOWN} surest test cases whose class is right, and the ${SHOWN} surest of those whose class is wrong`,
      shown: shown.map((one) => ({
        ...one,
        truth: classes[labels[one.bag]!]!,
        said: `${classes[best(one.said)]!} with probability ${one.said[best(one.said)]!.toFixed(2)}`,
        right: right(one),
      })),
    };
  }
  const order = judged.toSorted((a, b) => first(b) - first(a) || a.bag - b.bag);
  const name = targets.kind === "survival" ? "risk" : targets.names[0]!;
  return {
    chosen: `the ${SHOWN} test cases of highest and the ${SHOWN} of lowest predicted ${name}`,
    shown: ends(order).map((one) => ({
      ...one,
      truth: targets.kind === "survival"
        ? `${targets.events[one.bag] ? "event after" : "no event within"} ${targets.times[one.bag]} days`
        : truthText(task, one.bag, name),
      said: `${name} ${first(one).toPrecision(3)}`,
    })),
  };
}

/** The first target of a bag as training scales it. */
function truthText(task: MilSession["task"], bag: number, name: string): string {
  const truth = task.truth([bag]);
  return truth.kind === "regression" ? `${name} ${truth.values.data[0]!.toPrecision(3)}` : "";
}

/** Titles of the metrics. */
const COLUMNS: Readonly<Record<UnitTargets["kind"], Readonly<Record<string, string>>>> = {
  classification: {
    loss: "Cross-entropy",
    auc: "AUC of the validation part",
    balanced_accuracy: "Balanced accuracy of the validation part",
  },
  survival: { loss: "Negative log-likelihood", cindex: "C-index of the validation part" },
  regression: { loss: "Mean squared error", pearson: "Pearson of the validation part" },
};

function factsOf(
  { config: { model, optim }, data: { targets, labels: { task } } }: MilSession,
  { folder, step, steps, notes }: {
    folder: string;
    step: number | undefined;
    steps: number;
    notes: readonly { readonly text: string }[];
  },
): MethodEvidence["facts"] {
  const label = MODEL_LABELS[model.model];
  const method: MethodFacts = {
    name: "mil",
    label,
    use: {
      title: "Use it on new slides",
      code: `deno task predict --run ${folder} --features FEATURES --out predictions`,
    },
    ...(model.model !== "meanmil" && {
      citation: model.model === "clam"
        ? "Clustering-constrained attention multiple instance learning: Nature Biomedical Engineering 5 (2021)"
        : "Attention-based multiple instance learning: arXiv 1802.04712",
    }),
    columns: { ...COLUMNS[targets.kind], samples_per_second: "Bags a second" },
  };
  return {
    title: `${label} on ${task.columns.length > 3 ? `${task.columns.length} targets` : task.columns.join(", ")}`,
    method,
    seed: optim.seed,
    ...(step === undefined ? {} : { best_step: step }),
    stages: [{ name: "training", from: 0, to: steps }],
    warnings: notes,
  };
}
