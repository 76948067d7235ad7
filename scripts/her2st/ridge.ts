/**
 * Expression of a section told from features by the other sections of its stack: features z-scored in each section, targets centred
 * in each, ridge with intercept, its penalty by least squared error on each training section left out in turn.
 */

import { visitRow } from "../../src/data/matrix.ts";
import { fitRidge, predictLinear } from "../../src/eval/ridge.ts";
import { applyStandardizer, fitCentring, fitStandardizer } from "../../src/eval/linalg/standardize.ts";
import type { Table } from "../../src/eval/linalg/table.ts";
import type { PlanePoint as Place } from "../../src/core/rigid.ts";
import { readSection } from "./section.ts";

const PENALTIES = [10, 30, 100, 300, 1000, 3000, 10_000, 30_000];

/** A section's spots and what was measured of them. */
export interface Section {
  readonly id: string;
  readonly barcodes: readonly string[];
  readonly places: readonly Place[];
  readonly genes: readonly string[];
  /** ln(1 + counts per ten thousand), `[spots, genes]`. */
  readonly expression: Table;
}

/** Reads a section whole. */
export async function sectionOf(folder: string, id: string): Promise<Section> {
  const { matrix, places, ...names } = await readSection(folder, id);
  const { rows, columns } = matrix;
  const data = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) visitRow(matrix, i, (g, value) => void (data[i * columns + g] = value));
  return {
    ...names,
    places: Array.from({ length: rows }, (_, i): Place => [places[2 * i]!, places[2 * i + 1]!]),
    expression: { rows, columns, data },
  };
}

/** Some columns of a table. */
export function columnsOf({ rows, columns, data }: Table, chosen: readonly number[]): Table {
  const out = new Float64Array(rows * chosen.length);
  for (let i = 0; i < rows; i++) chosen.forEach((g, j) => out[i * chosen.length + j] = data[i * columns + g]!);
  return { rows, columns: chosen.length, data: out };
}

/** Tables one below another. */
export function stack(tables: readonly Table[]): Table {
  const { columns } = tables[0]!;
  return {
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    columns,
    data: Float64Array.from(tables.flatMap(({ data }) => [...data])),
  };
}

/** Each column with mean 0 and deviation 1. */
export const zScored = (x: Table): Table => applyStandardizer(x, fitStandardizer(x));
const centred = (x: Table): Table => applyStandardizer(x, fitCentring(x));

/** Features of sections by name. */
export type Features = ReadonlyMap<string, Table>;

/** What the best penalty says of the section tested. @param x Features as they are to be used. @param y Expression. */
export function sectionRidge(
  { x, y: expression, trained, test }: {
    readonly x: Features;
    readonly y: Features;
    readonly trained: readonly string[];
    readonly test: string;
  },
): { prediction: Table; alpha: number } {
  const y = new Map(trained.map((id) => [id, centred(expression.get(id)!)]));
  const of = (ids: readonly string[], from: Features) => stack(ids.map((id) => from.get(id)!));
  const fit = (ids: readonly string[], alpha: number) => fitRidge(of(ids, x), of(ids, y), { alpha, intercept: true });
  const errors = PENALTIES.map((alpha) =>
    trained.reduce((sum, held) => {
      const said = predictLinear(fit(trained.filter((id) => id !== held), alpha), x.get(held)!);
      const wanted = y.get(held)!.data;
      let error = 0;
      for (let i = 0; i < wanted.length; i++) error += (said.data[i]! - wanted[i]!) ** 2;
      return sum + error;
    }, 0)
  );
  const alpha = PENALTIES[errors.indexOf(Math.min(...errors))]!;
  return { prediction: predictLinear(fit(trained, alpha), x.get(test)!), alpha };
}
