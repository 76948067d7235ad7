/**
 * What a finished run leaves for `predict`: the probe on its features for all genes of the vocabulary, the head on the frozen
 * encoder where one was trained, how well they and the image decoder do on training donors, and which of them is chosen by that.
 * Held-out spots are not looked at.
 *
 * @module
 */

import type { TrainingSet } from "../data/training_set.ts";
import { pearson } from "../eval/correlation.ts";
import { searchText, UNNAMED_DONORS } from "../eval/cross_validate.ts";
import { pcaScores } from "../eval/linalg/pca.ts";
import {
  chooseSource,
  type HeadScore,
  type LinearPredictor,
  linearPredictor,
  meanScore,
  predictorFile,
  type Predictors,
  type SourceScore,
} from "../eval/predictor.ts";
import { fitProbe, predictProbe, type ProbeBasis, probeBasis, type ProbeModel, type ProbeSet } from "../eval/probe.ts";
import { findProtocol, HEADLINE_PROTOCOL } from "../eval/protocol.ts";
import { multiply } from "../eval/linalg/product.ts";
import { fitRidge, predictLinear, transposed } from "../eval/ridge.ts";
import { standardize } from "../eval/linalg/standardize.ts";
import { column, type Table, takeRows } from "../eval/linalg/table.ts";
import { namedDonor, takeColumns } from "./data.ts";
import { tableOf } from "./retrieval.ts";
import type { ReportPanel } from "./panel.ts";

/** Genes that sources are judged on where the panel has none of the vocabulary. */
const JUDGED = 50;

/** What sources are fitted to and judged on. */
export interface PredictorInput {
  /** Training spots with log-normalised expression of the whole vocabulary. */
  readonly train: ProbeSet;
  /** Places of the genes that are judged. */
  readonly judged: readonly number[];
  /** What the decoder says of the same spots, `[spots, vocabulary]`; undefined without one. */
  readonly decoded: Table | undefined;
  /** Why that is not asked. */
  readonly without?: string | undefined;
  /** The head on the frozen encoder, where one was trained that could predict. */
  readonly head?: HeadInput | undefined;
  readonly step: number;
}

/** The head and what it stands on. */
export interface HeadInput {
  /** What it says of the training spots, `[spots, vocabulary]`. */
  readonly said: Table;
  /** Features of the frozen encoder of the same spots. */
  readonly features: Table;
  /** Its weights. */
  readonly file: Uint8Array;
}

/** Places of the files below the folder of a run. */
export const PREDICTOR_FILES = {
  facts: "evaluation/predictors.json",
  probe: "evaluation/probe.safetensors",
  head: "evaluation/head.safetensors",
} as const;

/** The files' content. */
export interface FittedPredictors {
  readonly predictors: Predictors;
  readonly probe: LinearPredictor;
  readonly head?: Uint8Array | undefined;
}

/** The files, the one that names the others last. */
export function predictorFiles({ predictors, probe, head }: FittedPredictors): Map<string, Uint8Array | string> {
  return new Map<string, Uint8Array | string>([
    [PREDICTOR_FILES.probe, predictorFile(probe)],
    ...(head === undefined ? [] : [[PREDICTOR_FILES.head, head] as const]),
    [PREDICTOR_FILES.facts, `${JSON.stringify(predictors, null, 2)}\n`],
  ]);
}

/** Training spots of a run, with its features and what its decoder says. */
export function predictorInput(
  { set, dim, decoder, without }: {
    readonly set: TrainingSet;
    readonly dim: number;
    readonly decoder: boolean;
    readonly without?: string | undefined;
  },
  images: { readonly embedding: Float32Array; readonly expression: Float32Array },
  { panel, step, head }: {
    readonly panel: ReportPanel;
    readonly step: number;
    /** Of all pairs. */
    readonly head?: HeadInput | undefined;
  },
): PredictorInput {
  const training = set.samples.flatMap((sample, i) => sample.role === "train" ? [{ sample, i }] : []);
  const rows = [...set.pairs("train")];
  const targets = new Float32Array(rows.length * set.genes);
  let at = 0;
  for (const { i } of training) {
    const own = set.own(i);
    targets.set(own, at);
    at += own.length;
  }
  const each = (of: (sample: TrainingSet["samples"][number]) => string) =>
    training.flatMap(({ sample }) => new Array<string>(sample.count).fill(of(sample)));
  return {
    train: {
      features: takeRows(tableOf(images.embedding, dim), rows),
      targets: tableOf(targets, set.genes),
      slides: each(({ id }) => id),
      donors: each(({ donor }) => donor),
      unnamed: training.some(({ sample }) => namedDonor(sample) === undefined),
    },
    judged: panel.columns.length > 0 ? panel.columns : Array.from({ length: Math.min(JUDGED, set.genes) }, (_, g) => g),
    decoded: decoder ? takeRows(tableOf(images.expression, set.genes), rows) : undefined,
    without,
    head: head && { ...head, said: takeRows(head.said, rows), features: takeRows(head.features, rows) },
    step,
  };
}

/** What the head has on the training spots, and what a probe on what it stands on loses from them to others. */
async function headScore({ said, features }: HeadInput, some: ProbeSet, judged: readonly number[]): Promise<HeadScore> {
  const protocol = findProtocol(HEADLINE_PROTOCOL);
  const frozen = { ...some, features };
  const basis = await probeBasis(features, protocol);
  const probe = await fitProbe(frozen, protocol, { basis });
  const fitted = withinSections(predictProbe(probe, features), some);
  const { heldBack } = leftOut(frozen, basis, probe.alpha);
  const lost = fitted === null || heldBack === null ? null : fitted - heldBack;
  return { fitted: withinSections(takeColumns(said, judged), some), lost };
}

/** Fits the probe and judges the sources. */
export async function fitPredictors(
  { train, judged, decoded, without, head, step }: PredictorInput,
): Promise<FittedPredictors> {
  const protocol = findProtocol(HEADLINE_PROTOCOL);
  const basis = await probeBasis(train.features, protocol);
  const some = { ...train, targets: takeColumns(train.targets, judged) };
  // The penalty is chosen on the judged genes: with all of a vocabulary many hardly expressed ones would decide.
  const chosen = await fitProbe(some, protocol, { basis });
  const all = allGenes(train, basis, chosen);
  const fitted = withinSections(predictProbe(chosen, train.features), some);
  const { heldBack, note } = leftOut(some, basis, chosen.alpha);
  const seen = decoded && withinSections(takeColumns(decoded, judged), some);
  const known = head && await headScore(head, some, judged);
  const choice = chooseSource({ held_back: heldBack, fitted }, seen, without, known);
  const { chosen: source, decoder, why } = choice;
  const probe = {
    held_back: heldBack,
    fitted,
    note,
    protocol: protocol.name,
    alpha: chosen.alpha,
    penalty: `cross-validated over ${searchText(chosen.chosen!)}`,
  };
  const own: SourceScore | undefined = seen === undefined ? undefined : {
    held_back: decoder,
    fitted: seen,
    note: decoder === null
      ? "it was trained on all training sections"
      : "estimated: it was trained on all training sections; what the probe loses on sections held back is taken off",
  };
  return {
    predictors: {
      schema: 1,
      step,
      chosen: source,
      why,
      judged_on: judged.length,
      probe,
      ...(own === undefined ? {} : { decoder: own }),
      ...(known === undefined ? {} : { head: { held_back: choice.head, fitted: known.fitted, note: HEAD_NOTE } }),
    },
    probe: linearPredictor(all),
    head: head?.file,
  };
}

const HEAD_NOTE =
  "estimated: it was trained on all training sections; what a probe on the frozen features loses on sections held back is taken off";

/** The probe of all genes with the penalty that was chosen on some. */
function allGenes({ features, targets }: ProbeSet, { standardizer, pca }: ProbeBasis, chosen: ProbeModel): ProbeModel {
  const x = standardize(features, standardizer);
  const model = fitRidge(pcaScores(pca!, x), targets, { alpha: chosen.alpha, intercept: true });
  const components = transposed(pca!.components.data as Float64Array, features.columns);
  return { ...chosen, weights: multiply(model.weights, components), offset: model.intercept };
}

/** Each training donor predicted by a probe fitted on the others; sections, where there is one donor. */
function leftOut(
  { features, targets, slides, donors, unnamed }: ProbeSet,
  { standardizer, pca }: ProbeBasis,
  alpha: number,
): { heldBack: number | null; note: string } {
  const scores = pcaScores(pca!, standardize(features, standardizer));
  const several = (of: ArrayLike<string | number>) => new Set(Array.from(of)).size > 1;
  const [groups, name] = several(donors!)
    ? [donors!, unnamed ? UNNAMED_DONORS : "donors"]
    : [slides!, "sections of the one donor"];
  if (!several(groups)) return { heldBack: null, note: "a single training section: none can be held back" };
  const values: (number | null)[] = [];
  for (const group of new Set(Array.from(groups))) {
    const [inner, held]: [number[], number[]] = [[], []];
    Array.from(groups).forEach((of, row) => (of === group ? held : inner).push(row));
    const model = fitRidge(takeRows(scores, inner), takeRows(targets, inner), { alpha, intercept: true });
    const part = { targets: takeRows(targets, held), slides: held.map((row) => slides![row]!) };
    values.push(...sectionScores(predictLinear(model, takeRows(scores, held)), part));
  }
  const count = new Set(Array.from(groups)).size;
  return {
    heldBack: meanScore(values),
    note: `${count} training ${name} left out of the probe in turn; the encoder saw them`,
  };
}

type Measured = Pick<ProbeSet, "targets" | "slides">;

/** Mean over sections and genes of the correlation within a section. */
function withinSections(predicted: Table, measured: Measured): number | null {
  return meanScore(sectionScores(predicted, measured));
}

/** The same of each section; a gene without a correlation counts as 0, a section in which no gene varies has none. */
function sectionScores(predicted: Table, { targets, slides }: Measured): (number | null)[] {
  const rowsOf = Map.groupBy(Array.from({ length: targets.rows }, (_, row) => row), (row) => slides![row]!);
  return [...rowsOf.values()].map((rows) => {
    const [a, b] = [takeRows(predicted, rows), takeRows(targets, rows)];
    const r = Array.from({ length: targets.columns }, (_, g) => pearson(column(a, g), column(b, g)));
    const varies = r.some(({ reason }) => reason === undefined || reason === "constant prediction");
    return varies ? r.reduce((sum, { value }) => sum + (value ?? 0), 0) / r.length : null;
  });
}
