/**
 * A cohort as it is evaluated: cases or slides with their targets and folds, and the features of each encoder for them.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { PooledFolder } from "../../data/cohort/pooled.ts";
import type { CohortRow, CohortTable } from "../../data/cohort/cohort_table.ts";
import type { CohortTask, Labelled } from "../../data/cohort/task.ts";
import type { Table } from "../linalg/table.ts";

/** How slides of a case become one vector: the mean of all tiles, or of the slides' means. */
export type CaseSlides = "combine" | "mean";

/** What is predicted for: a case or a slide. */
export interface Unit {
  readonly name: string;
  readonly case: string;
  readonly slides: readonly string[];
}

/** Targets by unit. */
export type UnitTargets =
  | { readonly kind: "classification"; readonly classes: readonly string[]; readonly labels: readonly number[] }
  | { readonly kind: "survival"; readonly times: readonly number[]; readonly events: readonly number[] }
  | {
    readonly kind: "regression";
    readonly names: readonly string[];
    /** Values before they are put on the scale of the training units, `[units, targets]`. */
    raw(train: readonly number[]): Table;
  };

/** Units on each side of a fold. */
export interface CohortFold {
  readonly name: string;
  readonly train: readonly number[];
  readonly test: readonly number[];
}

/** What is evaluated. */
export interface Cohort {
  readonly units: readonly Unit[];
  readonly targets: UnitTargets;
  readonly folds: readonly CohortFold[];
}

/** Features of one encoder. */
export interface CohortSource {
  readonly name: string;
  /** `[units, d]`. */
  readonly x: Table;
}

/** Rows of the table by unit, of slides that every encoder has. */
export function unitsOf(
  task: Pick<CohortTask, "of">,
  rows: readonly CohortRow[],
  usable: (slide: string) => boolean,
): { units: Unit[]; at: number[][] } {
  const found = new Map<string, number[]>();
  rows.forEach((row, r) => {
    if (!usable(row.slide)) return;
    const name = task.of === "case" ? row.case : row.slide;
    const own = found.get(name);
    if (own === undefined) found.set(name, [r]);
    else own.push(r);
  });
  return {
    units: [...found].map(([name, own]) => ({
      name,
      case: rows[own[0]!]!.case,
      slides: own.map((r) => rows[r]!.slide),
    })),
    at: [...found.values()],
  };
}

/** Folds of the units, from the parts of their first rows; a part `val` is on no side. */
export function foldsOf(
  table: CohortTable,
  rows: readonly CohortRow[],
  at: readonly (readonly number[])[],
): CohortFold[] {
  return table.folds.map((name, f) => {
    const side = (part: string) => at.flatMap((own, u) => rows[own[0]!]!.folds[f] === part ? [u] : []);
    return { name, train: side("train"), test: side("test") };
  });
}

/** Targets of units from those of their first rows. */
export function unitTargets({ targets }: Labelled, at: readonly (readonly number[])[]): UnitTargets {
  const first = at.map((own) => own[0]!);
  if (targets.kind === "classification") return { ...targets, labels: first.map((r) => targets.labels[r]!) };
  if (targets.kind === "survival") {
    return { ...targets, times: first.map((r) => targets.times[r]!), events: first.map((r) => targets.events[r]!) };
  }
  const columns = targets.names.length;
  const values = { rows: first.length, columns, data: Float64Array.from(first.flatMap((r) => targets.values[r]!)) };
  return { kind: "regression", names: targets.names, raw: () => values };
}

/**
 * Vectors of the units.
 *
 * @param mend How users say that slides are taken by themselves.
 * @throws {DataError} If tiles of a case that is to be combined are of two sizes.
 */
export function unitFeatures(
  { dim, slides }: PooledFolder,
  units: readonly Unit[],
  how: CaseSlides,
  mend = "--case-slides mean",
): Table {
  const data = new Float64Array(units.length * dim);
  units.forEach((unit, u) => {
    const own = unit.slides.map((slide) => slides.get(slide)!);
    const sizes = [...new Set(own.flatMap(({ tileSize }) => tileSize ?? []))];
    if (how === "combine" && sizes.length > 1) {
      throw new DataError(
        `Cannot combine slides of case ${unit.case}: their tiles are ${
          sizes.join(" and ")
        } pixels of level 0, expected one size`,
        {
          code: "tile-size",
          hint: `${mend} takes each slide by itself`,
          context: { case: unit.case, slides: unit.slides, sizes },
        },
      );
    }
    const weights = own.map(({ count }) => how === "combine" ? count : 1);
    const total = weights.reduce((a, b) => a + b, 0);
    own.forEach(({ mean }, s) => {
      for (let j = 0; j < dim; j++) data[u * dim + j]! += mean[j]! * weights[s]! / total;
    });
  });
  return { rows: units.length, columns: dim, data };
}
