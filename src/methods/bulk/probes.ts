/**
 * Linear probes on the mean of each patient's tiles: classes of the table by logistic regression, expression by ridge regression.
 *
 * @module
 */

import { balancedAccuracy, confusionMatrix } from "../../eval/classification.ts";
import { pearson } from "../../eval/correlation.ts";
import { applyStandardizer, fitStandardizer } from "../../eval/linalg/standardize.ts";
import { type Table, takeRows } from "../../eval/linalg/table.ts";
import { fitLogistic, predictLogistic } from "../../eval/logistic.ts";
import { predictLinear } from "../../eval/ridge.ts";
import { fitChosenRidge } from "../../eval/ridge_choice.ts";
import type { ProbeTask } from "../../report/probes_evidence.ts";
import { type BulkData, type BulkSlide, probeTiles } from "./data.ts";
import type { BulkArm } from "./model.ts";
import type { BulkSession } from "./session.ts";
import type { SlideTiles } from "./tiles.ts";

/** Tiles that are embedded at a time. */
const TILES = 8192;

/** Slides with the tiles that are looked at, some at a time. */
function* portions(slides: readonly BulkSlide[], most: number): Generator<SlideTiles[]> {
  let [some, held]: [SlideTiles[], number] = [[], 0];
  for (const slide of slides) {
    const of = { slide, tiles: probeTiles(slide, most) };
    some.push(of);
    held += of.tiles.length;
    if (held < TILES) continue;
    yield some;
    [some, held] = [[], 0];
  }
  if (some.length > 0) yield some;
}

/** Features of patients. */
export interface PatientMeans {
  /** Mean of the tiles of each patient's slides, `[patients, dim]`. */
  readonly means: Table;
  /** How far tiles have moved: root of the squared differences over that of the squares before. */
  readonly moved: number;
}

/** Which slides are looked at, and how many of their tiles at most. */
export interface Seen {
  readonly slides?: readonly BulkSlide[];
  readonly most?: number;
}

/** Mean of the tiles of each patient's slides; before training unless an arm is given. */
export async function patientMeans(
  { data: { patients, slides: all }, tiles }: Pick<BulkSession, "data" | "tiles">,
  arm?: BulkArm,
  { slides = all, most = Infinity }: Seen = {},
): Promise<PatientMeans> {
  const { dim } = tiles;
  const data = new Float64Array(patients.length * dim);
  const share = new Float64Array(patients.length);
  for (const { patient } of slides) share[patient]!++;
  let [moved, square] = [0, 0];
  for (const of of portions(slides, Math.min(most, tiles.most))) {
    const given = await tiles.given(of);
    const made = arm ? await tiles.now(arm, of) : given;
    for (let i = 0; i < made.length; i++) {
      moved += (made[i]! - given[i]!) ** 2;
      square += given[i]! ** 2;
    }
    let at = 0;
    for (const { slide: { patient }, tiles } of of) {
      const parts = tiles.length * share[patient]!;
      for (let t = 0; t < tiles.length; t++) {
        for (let j = 0; j < dim; j++) data[patient * dim + j]! += made[at++]! / parts;
      }
    }
  }
  return { means: { rows: patients.length, columns: dim, data }, moved: square > 0 ? Math.sqrt(moved / square) : 0 };
}

/** What a probe says of test patients, and how good that is on some of them. */
export interface Judged {
  readonly task: ProbeTask;
  /** Places among the test patients that are judged. */
  readonly patients: readonly number[];
  /** The score on these of them, with repeats; null where it is not defined. */
  score(of: readonly number[]): number | null;
}

/** Patients that a probe is fitted on, and those it is judged on. */
export interface Sides {
  readonly train: readonly number[];
  readonly test: readonly number[];
}

/** Patients of some parts. */
export function patientsOf({ slides }: Pick<BulkData, "slides">, ...parts: readonly BulkSlide["part"][]): number[] {
  return [...new Set(slides.flatMap(({ patient, part }) => (parts.includes(part) ? [patient] : [])))].sort((a, b) =>
    a - b
  );
}

/** What probes tell. */
export type Probed = Pick<BulkData, "rna" | "genes" | "labels">;

/** Classes of a column by logistic regression. */
function classes(column: string, labels: readonly string[], features: Table, { train, test }: Sides): Judged {
  const known = (all: readonly number[]) => all.filter((p) => labels[p] !== "");
  const [own, asked] = [known(train), known(test)];
  const names = [...new Set(own.map((p) => labels[p]!))].sort();
  const judged = asked.filter((p) => names.includes(labels[p]!));
  const task = { name: column, measure: "balanced accuracy" };
  if (names.length < 2 || judged.length === 0) {
    const few = `training patients have ${names.length === 0 ? "no" : "one"} class`;
    const note = names.length < 2 ? few : "no test patient has one of their classes";
    return { task: { ...task, note }, patients: [], score: () => null };
  }
  const standard = fitStandardizer(takeRows(features, own));
  const x = (rows: readonly number[]) => applyStandardizer(takeRows(features, rows), standard);
  const model = fitLogistic(x(own), own.map((p) => names.indexOf(labels[p]!)), {
    c: 1,
    tolerance: 1e-6,
    balanced: true,
  });
  const said = predictLogistic(model, x(judged));
  const truth = judged.map((p) => names.indexOf(labels[p]!));
  return {
    task,
    patients: judged.map((p) => test.indexOf(p)),
    score(of) {
      const places = of.map((t) => judged.indexOf(test[t]!)).filter((i) => i >= 0);
      const table = confusionMatrix(places.map((i) => truth[i]!), places.map((i) => said[i]!), names.length);
      return balancedAccuracy(table) ?? null;
    },
  };
}

/** Expression by ridge regression, its penalty chosen on the training patients. */
function expression({ rna, genes }: Probed, features: Table, { train, test }: Sides): Judged {
  const G = genes.length;
  const all: Table = { rows: rna.length / G, columns: G, data: Float64Array.from(rna) };
  const standard = fitStandardizer(takeRows(features, train));
  const x = (rows: readonly number[]) => applyStandardizer(takeRows(features, rows), standard);
  const model = fitChosenRidge(x(train), takeRows(all, train));
  const predicted = predictLinear(model, x(test));
  const truth = takeRows(all, test);
  const column = (of: Table, rows: readonly number[], g: number) => Float64Array.from(rows, (r) => of.data[r * G + g]!);
  const scored = (rows: readonly number[]) =>
    genes.flatMap((_, g) => {
      const { value, reason } = pearson(column(predicted, rows, g), column(truth, rows, g));
      return reason === "constant target" || reason === "fewer than two spots" ? [] : [value ?? 0];
    });
  const places = test.map((_, i) => i);
  const left = G - scored(places).length;
  const note = test.length < 2
    ? "a correlation takes two test patients or more"
    : left > 0
    ? `${left} of ${G} genes are constant over them and count nothing`
    : undefined;
  return {
    task: { name: "Expression", measure: "mean Pearson over genes", ...(note !== undefined && { note }) },
    patients: places,
    score(of) {
      const values = scored(of);
      return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
    },
  };
}

/** All tasks on features. */
export function judge(data: Probed, features: Table, sides: Sides): Judged[] {
  return [
    ...[...data.labels].map(([column, labels]) => classes(column, labels, features, sides)),
    expression(data, features, sides),
  ];
}

/** Mean of the numbers that there are. */
export function meanKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length;
}

/** What each task gains. */
export function gains(base: readonly (number | null)[], own: readonly (number | null)[]): (number | null)[] {
  return own.map((value, t) => value === null || base[t] === null ? null : value - base[t]!);
}
