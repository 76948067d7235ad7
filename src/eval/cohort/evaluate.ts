/**
 * Encoders compared on a cohort: models of their mean features in every fold, beside the baseline, with paired differences.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { Cohort, CohortFold, CohortSource } from "./cohort.ts";
import { fitFold, type ModelName, MODELS, openFold } from "./models.ts";
import { SCORES, type Scores, targetScores } from "./scores.ts";
import { CaseDraws, type Difference, type Estimate, type JudgedFold, type JudgedScores, overSeeds } from "./summary.ts";
import { mean } from "../linalg/statistics.ts";

/** A model of one encoder, or the baseline. */
export interface CohortRowResult extends ModelName {
  /** Name of the encoder; undefined of the baseline. */
  readonly source: string | undefined;
  readonly scores: Readonly<Record<string, Estimate>>;
  readonly folds: readonly Scores[];
  /** Scores of each fold by seed, of a model that was trained from several; what it says is then the mean. */
  readonly seeds?: readonly (readonly Scores[])[] | undefined;
  /** Of a regression: the mean over folds, by target. */
  readonly perTarget?: Readonly<Record<string, Scores>>;
  /** For the test units of each fold. */
  readonly outputs: readonly Float64Array[];
}

/** A model that was trained elsewhere, with what it says of the test units of every fold that can be judged. */
export interface TrainedModel extends ModelName {
  /** Name of the encoder. */
  readonly source: string;
  /** By name of the fold, `[test, classes | 1 | targets]` of each seed it was trained from. */
  readonly outputs: ReadonlyMap<string, readonly Float64Array[]>;
}

/** A paired difference. */
export interface CohortDifference {
  readonly a: { readonly source: string; readonly model: string };
  /** Another encoder's same model, another model of this encoder, or the baseline. */
  readonly b: { readonly source: string | undefined; readonly model: string };
  readonly score: string;
  readonly difference: Difference;
}

/** What was found. */
export interface CohortResult {
  readonly cohort: Cohort;
  /** Folds that were judged, and what is to be known of each; those that could not be have no part in the scores. */
  readonly folds: readonly {
    readonly fold: CohortFold;
    readonly judged: boolean;
    readonly problems: readonly string[];
  }[];
  readonly judged: readonly JudgedFold[];
  readonly cases: number;
  readonly rows: readonly CohortRowResult[];
  readonly differences: readonly CohortDifference[];
}

/** Options of {@linkcode evaluateCohort}. */
export interface CohortOptions {
  readonly draws?: number;
  readonly seed?: number;
  /** Judged beside the others, on the same folds. */
  readonly trained?: readonly TrainedModel[];
  /** Told after every fold; may wait, or throw to stop. */
  onFold?(source: string, done: number, total: number): Promise<void> | void;
}

/**
 * Evaluates encoders.
 *
 * @throws {DataError} If no fold can be judged.
 */
export async function evaluateCohort(
  cohort: Cohort,
  sources: readonly CohortSource[],
  { draws = 100, seed = 0, trained = [], onFold }: CohortOptions = {},
): Promise<CohortResult> {
  const { models, baseline } = MODELS[cohort.targets.kind];
  const opened = cohort.folds.map((fold) => ({ fold, ...openFold(cohort, fold) }));
  const usable = opened.flatMap(({ fold, truth, baseline }) => truth && baseline ? [{ fold, truth, baseline }] : []);
  if (usable.length === 0) {
    const [first] = opened;
    throw new DataError(
      `Cannot evaluate: none of ${opened.length} folds can be judged (${first?.fold.name}: ${
        first?.problems.join(", ")
      }), expected one or more`,
      {
        code: "folds",
        hint: "Folds hold some of each class, or events, on both sides: deno task split --stratify COLUMN",
        context: { folds: opened.slice(0, 20).map(({ fold, problems }) => [fold.name, problems]) },
      },
    );
  }
  const judged = usable.map(({ fold, truth }): JudgedFold => ({ name: fold.name, test: fold.test, truth }));
  const by = new CaseDraws(cohort, judged, draws, seed);
  const problems = new Map(opened.map(({ fold, problems }) => [fold.name, [...problems]]));
  const rows: JudgedRow[] = [];
  const add = (model: ModelName, source: string | undefined, scores: JudgedScores, trained = false) => {
    rows.push({ row: rowOf(cohort, by, { model, source, scores }), scores, trained });
  };
  for (const { name, x } of sources) {
    const outputs = models.map(() => [] as Float64Array[]);
    for (const [f, { fold, truth }] of usable.entries()) {
      const fitted = fitFold(cohort, fold, truth, x);
      fitted.outputs.forEach((output, m) => outputs[m]!.push(output));
      problems.get(fold.name)!.push(...fitted.problems.map((text) => `${name}: ${text}`));
      await onFold?.(name, f + 1, usable.length);
    }
    models.forEach((model, m) => add(model, name, by.judge({ outputs: outputs[m]! })));
    for (const own of trained.filter(({ source }) => source === name)) {
      const said = usable.map(({ fold }) => outputsOf(own, fold));
      const seeds = said[0]!.map((_, s) => by.judge({ outputs: said.map((outputs) => outputs[s]!) }));
      add(own, name, overSeeds(seeds), true);
    }
  }
  add(baseline, undefined, by.judge({ outputs: usable.map((one) => one.baseline) }));
  return {
    cohort,
    folds: opened.map(({ fold, truth }) => ({ fold, judged: truth !== undefined, problems: problems.get(fold.name)! })),
    judged,
    cases: by.cases,
    rows: rows.map(({ row }) => row),
    differences: differencesOf(by, rows, SCORES[cohort.targets.kind]),
  };
}

/** A row, and whether its model was trained on bags. */
interface JudgedRow {
  readonly row: CohortRowResult;
  readonly scores: JudgedScores;
  readonly trained: boolean;
}

function outputsOf({ id, outputs }: TrainedModel, { name }: CohortFold): readonly Float64Array[] {
  const own = outputs.get(name);
  if (own !== undefined) return own;
  throw new DataError(`Cannot judge ${id}: it says nothing of ${name}, expected outputs of every fold`, {
    code: "folds",
    context: { model: id, fold: name },
  });
}

function rowOf(
  { targets }: Cohort,
  by: CaseDraws,
  { model, source, scores }: { model: ModelName; source: string | undefined; scores: JudgedScores },
): CohortRowResult {
  const names = SCORES[targets.kind];
  const { id, label, note } = model;
  return {
    id,
    label,
    note,
    source,
    scores: Object.fromEntries(names.map((name) => [name, by.estimate(name, scores)])),
    folds: scores.folds,
    ...(scores.seeds && { seeds: scores.seeds }),
    ...(targets.kind === "regression" && { perTarget: perTarget(targets.names, by, scores) }),
    outputs: scores.outputs,
  };
}

function perTarget(names: readonly string[], by: CaseDraws, { outputs }: JudgedScores): Record<string, Scores> {
  const each = by.folds.flatMap(({ truth, test }, f) =>
    truth.kind === "regression" ? [targetScores(truth, outputs[f]!, [...test.keys()])] : []
  );
  return Object.fromEntries(names.map((target, k) => [
    target,
    Object.fromEntries(SCORES.regression.map((name) => {
      const known = each.flatMap((scores) => scores[k]![name] ?? []);
      return [name, known.length === 0 ? null : mean(known)];
    })),
  ]));
}

/** Every model against the first encoder's of its kind, the first model of its encoder, and the baseline. */
function differencesOf(
  by: CaseDraws,
  rows: readonly JudgedRow[],
  names: readonly string[],
): CohortDifference[] {
  const own = rows.filter(({ row }) => row.source !== undefined);
  const baseline = rows.filter(({ row }) => row.source === undefined);
  return own.flatMap((a) => {
    const first = own.find(({ row }) => row.id === a.row.id)!;
    // Of an encoder's rows the first is the mean's, without training of bags.
    const plain = a.trained ? own.find(({ row }) => row.source === a.row.source)! : a;
    return [...new Set([first, plain, ...baseline])].filter((b) => b !== a).flatMap((b) =>
      names.map((score): CohortDifference => ({
        a: { source: a.row.source!, model: a.row.id },
        b: { source: b.row.source, model: b.row.id },
        score,
        difference: by.difference(score, a.scores, b.scores),
      })).filter(({ difference }) => difference.value !== null)
    );
  });
}
