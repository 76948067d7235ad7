/**
 * The linear probe: how well expression can be read from frozen features, by a named protocol.
 *
 * Standardise, principal components, ridge. Features are centred by the training rows, so that W needs only XT Y and the
 * scatter of the components: w_k = v_kT XT Y / (l_k + alpha). Scores are never formed unless alpha is cross-validated. The raw
 * protocol skips the first two.
 *
 * Source: `trainer.py` of github.com/mahmoodlab/HEST, `run_linprobe` of github.com/mahmoodlab/SEAL.
 *
 * @example
 * ```ts ignore
 * const result = await probe({ train, test, genes }, "hest-bench/1");
 * console.log(result.pearsonMean, result.slidePearsonMean);
 * ```
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { type AlphaGroups, chooseAlpha, type ChosenAlpha, UNNAMED_DONORS } from "./cross_validate.ts";
import type { GramOptions } from "./linalg/gram.ts";
import { fitPca, type Pca, pcaScores } from "./linalg/pca.ts";
import { crossProduct, multiply } from "./linalg/product.ts";
import { findProtocol, type Protocol } from "./protocol.ts";
import { predictLinear, ridgeAlpha, solveRidge, transposed } from "./ridge.ts";
import { type GeneScore, scoreGenes, scoreSlides, type SlideScore } from "./scores.ts";
import {
  applyStandardizer,
  columnMoments,
  fitCentring,
  fitStandardizer,
  standardize,
  type Standardized,
  type Standardizer,
} from "./linalg/standardize.ts";
import { mean } from "./linalg/statistics.ts";
import { scoreSpots, type SpotScores } from "./spot_scores.ts";
import { firstNonFinite, type Table } from "./linalg/table.ts";

/** Spots of one side of a fold. */
export interface ProbeSet {
  /** `[n, D]`. */
  readonly features: Table;
  /** `[n, genes]`, as the protocol's `truth` says: log1p of raw counts for HEST-Benchmark. */
  readonly targets: Table;
  /** Slide of each row; without, all are of one. */
  readonly slides?: ArrayLike<string | number> | undefined;
  /** Donor of each row, where donors are known. */
  readonly donors?: ArrayLike<string | number> | undefined;
  /** Whether some of them stand for samples whose patient nobody names. */
  readonly unnamed?: boolean | undefined;
}

/** A fold with its data. */
export interface ProbeInput {
  /** What is fitted. */
  readonly train: ProbeSet;
  /** What is scored. */
  readonly test: ProbeSet;
  /** Names of the targets' columns. */
  readonly genes: readonly string[];
}

/** Options of {@linkcode probe}. */
export interface ProbeOptions extends GramOptions {
  /** Targets in the formula of alpha, where genes are a part of a larger panel; default their number. */
  readonly alphaTargets?: number;
  /** What {@linkcode probeBasis} made of the same training features, so that several protocols share it. */
  readonly basis?: ProbeBasis | undefined;
}

/** What a probe does to features before it regresses on them; it depends on no target. */
export interface ProbeBasis {
  /** Brings every feature to mean 0 and deviation 1. */
  readonly standardizer: Standardizer;
  /** Undefined where all dimensions are kept. */
  readonly pca: Pca | undefined;
}

/** A fitted probe. */
export interface ProbeModel {
  /** Name of the protocol. */
  readonly protocol: string;
  /** How it was solved. */
  readonly solver: string;
  /** Weight of the squared coefficients. */
  readonly alpha: number;
  /** How alpha was found, where it was cross-validated. */
  readonly chosen: ChosenAlpha | undefined;
  /** Dimensions of the features. */
  readonly dim: number;
  /** Those left after PCA. */
  readonly components: number;
  /** Components with variance; fewer where rows are few or columns equal. */
  readonly rank: number;
  /** Of the training rows. */
  readonly standardizer: Standardizer;
  /** Coefficients of standardised features, `[genes, D]`. */
  readonly weights: Table;
  /** What gives predictions the mean of the training targets; part of them only if the protocol has an intercept. */
  readonly offset: Float64Array;
  /** Whether the protocol has one. */
  readonly intercept: boolean;
}

/** What a probe reached. */
export interface ProbeResult {
  /** What was fitted. */
  readonly model: ProbeModel;
  /** Rows that were fitted. */
  readonly nTrain: number;
  /** Rows that were scored. */
  readonly nTest: number;
  /** Scores over all test rows. */
  readonly perGene: readonly GeneScore[];
  /** Mean over genes of Pearson's correlation of the pooled test spots; a gene without one counts as 0. */
  readonly pearsonMean: number;
  /** The same of Spearman's. */
  readonly spearmanMean: number;
  /** Each test slide by itself, which offsets between slides cannot raise. */
  readonly perSlide: readonly SlideScore[];
  /** Mean over the slides. */
  readonly slidePearsonMean: number;
  /** Genes whose correlation is not defined. */
  readonly degenerate: readonly { readonly gene: string; readonly reason: string }[];
  /** Along the genes of each test spot; undefined with fewer than two genes. */
  readonly spots: SpotScores | undefined;
  /** Predictions for the test spots, `[n, genes]`. */
  readonly predictions: Table;
}

/**
 * Fits and scores one fold.
 *
 * @param protocol Name of one, or your own.
 * @throws {DataError} If features or targets are not finite, or a side has no rows.
 * @throws {ConfigError} If there is no such protocol.
 */
export async function probe(
  input: ProbeInput,
  protocol: string | Protocol,
  options: ProbeOptions = {},
): Promise<ProbeResult> {
  const { train, test, genes } = input;
  checkSet("training", train, genes, train.features.columns);
  checkSet("test", test, genes, train.features.columns);
  const model = await fitProbe(train, protocol, options);
  const predictions = predictProbe(model, test.features);
  const offset = model.intercept ? undefined : model.offset;
  const perGene = scoreGenes({ predictions, targets: test.targets, genes, offset });
  const perSlide = scoreSlides({ predictions, targets: test.targets, slides: test.slides });
  return {
    model,
    nTrain: train.features.rows,
    nTest: test.features.rows,
    perGene,
    pearsonMean: mean(perGene.map(({ pearson }) => pearson ?? 0)),
    spearmanMean: mean(perGene.map(({ spearman }) => spearman ?? 0)),
    perSlide,
    slidePearsonMean: mean(perSlide.map(({ pearsonMean }) => pearsonMean)),
    degenerate: perGene.flatMap(({ gene, reason }) => reason === undefined ? [] : [{ gene, reason }]),
    spots: scoreSpots(predictions, test.targets, offset),
    predictions,
  };
}

function checkSet(what: string, { features, targets }: ProbeSet, genes: readonly string[], dim: number): void {
  const fail = (given: string, wanted: string): never => {
    throw new DataError(`Cannot probe: the ${what} set has ${given}, ${wanted}`, { code: "probe-set" });
  };
  if (features.rows === 0) fail("no spots", "at least one wanted");
  if (features.columns !== dim) fail(`features of ${features.columns} dimensions`, `${dim} wanted`);
  if (targets.rows !== features.rows) fail(`${targets.rows} rows of targets`, `${features.rows} wanted`);
  if (targets.columns !== genes.length) {
    fail(`${targets.columns} targets`, `one for each of ${genes.length} genes wanted`);
  }
  for (const [name, of] of [["features", features], ["targets", targets]] as const) {
    const row = firstNonFinite(of);
    if (row !== undefined) fail(`${name} that are not finite in row ${row}`, "finite numbers wanted");
  }
}

/** Standardises and reduces training features as a protocol wants. */
export async function probeBasis(
  features: Table,
  { standardise, components }: Pick<Protocol, "standardise" | "components">,
  options: GramOptions = {},
): Promise<ProbeBasis> {
  const standardizer = standardise ? fitStandardizer(features) : identity(features.columns);
  const pca = components === undefined
    ? undefined
    : await fitPca(standardize(features, standardizer), components, options);
  return { standardizer, pca };
}

/** Fits the probe of a protocol. */
export async function fitProbe(
  train: ProbeSet,
  protocol: string | Protocol,
  options: ProbeOptions = {},
): Promise<ProbeModel> {
  const recipe = typeof protocol === "string" ? findProtocol(protocol) : protocol;
  const { features, targets } = train;
  const { standardizer, pca } = options.basis ?? await probeBasis(features, recipe, options);
  const x = standardize(features, standardizer);
  const targetCount = options.alphaTargets ?? targets.columns;
  const common = { protocol: recipe.name, dim: features.columns, standardizer, intercept: recipe.intercept };
  const finish = (weights: Table) => ({ ...common, weights, offset: offsetOf(x, targets, weights) });
  // On centred features the means of the targets fall out, and centring them keeps digits; on others it would change the fit.
  const y = recipe.standardise ? standardize(targets, fitCentring(targets)) : targets;
  const cross = crossProduct(x, y);
  const scores = () => pca === undefined ? applyStandardizer(features, standardizer) : pcaScores(pca, x);
  const chosen = recipe.alpha === "formula" ? undefined : chosenAlpha(scores(), train, recipe.alpha);
  const size = pca?.components.rows ?? features.columns;
  const alpha = chosen?.alpha ?? ridgeAlpha(size, targetCount);
  if (pca === undefined) {
    const weights = transposed(solveRidge({ gram: crossProduct(x, x), cross }, alpha), targets.columns);
    return { ...finish(weights), solver: "f64 on the host", alpha, chosen, components: size, rank: size };
  }
  // [k, genes], then [genes, D].
  const inScores = multiply(pca.components, transposed(cross, targets.columns)).data as Float64Array;
  inScores.forEach((value, at) => inScores[at] = value / (pca.scatter[Math.floor(at / targets.columns)]! + alpha));
  const data = crossProduct({ rows: size, columns: targets.columns, data: inScores }, pca.components);
  const weights = { rows: targets.columns, columns: features.columns, data };
  return { ...finish(weights), solver: pca.solver, alpha, chosen, components: size, rank: pca.rank };
}

/** The penalty by whole donors where two or more are known, else by slides. */
function chosenAlpha(scores: Table, { targets, slides, donors, unnamed }: ProbeSet, by: AlphaGroups): ChosenAlpha {
  const several = donors !== undefined && new Set(Array.from(donors)).size > 1;
  return by === "donors" && several
    ? chooseAlpha(scores, targets, donors, unnamed ? UNNAMED_DONORS : "donors")
    : chooseAlpha(scores, targets, slides, "slides");
}

function identity(columns: number): Standardizer {
  return { mean: new Float64Array(columns), scale: new Float64Array(columns).fill(1) };
}

/** Mean of the targets less that of the predictions, over the training rows. */
function offsetOf(x: Standardized, targets: Table, weights: Table): Float64Array {
  const { mean: centre } = columnMoments(x.raw);
  const middle = centre.map((value, j) => (value - x.mean[j]!) / x.scale[j]!);
  const predicted = multiply({ rows: 1, columns: x.columns, data: middle }, weights).data;
  return columnMoments(targets).mean.map((value, j) => value - predicted[j]!);
}

/** Predictions for rows, `[n, genes]`. */
export function predictProbe(model: ProbeModel, features: Table): Table {
  const { weights, offset, standardizer } = model;
  const intercept = model.intercept ? offset : new Float64Array(weights.rows);
  return predictLinear({ weights, intercept }, standardize(features, standardizer));
}
