/**
 * What a run on volumes leaves for its report: how well expression is told at other depths, what was measured beside what is
 * told, and the volume of interest with its expression, small enough to be looked at in a page.
 *
 * @module
 */

import { EVIDENCE_SCHEMA } from "./run_evidence.ts";
import { base64, type Check, count, exactly, list, nullable, object, optional, text, within } from "./schema.ts";

/** A number for each axis: z, y, x. */
export type Axes = readonly number[];

/** A section that took no part in training. */
export interface VolumeSection {
  readonly name: string;
  /** From the nearest section that did, µm. */
  readonly away_um: number;
  readonly spots: number;
}

/** Something that tells expression. */
export interface VolumeRow {
  readonly id: string;
  readonly label: string;
  /** Pearson's by section, then by gene; null where it is not defined. */
  readonly scores: readonly (readonly (number | null)[])[];
  /** Root mean square of what is missed by section, of z-scored expression. */
  readonly errors: readonly (number | null)[];
}

/** A difference of two rows on a section, with what it is on draws of its spots. */
export interface VolumeDifference {
  readonly of: string;
  readonly over: string;
  readonly section: string;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Spots of the test sections. */
export interface VolumeSpots {
  /** Number of the section of each. */
  readonly section: readonly number[];
  /** µm. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly z: readonly number[];
  /** Of each gene that is shown; null where it was not measured. */
  readonly measured: readonly (readonly (number | null)[])[];
  readonly predicted: readonly (readonly number[])[];
}

/** A small copy of the volume, and its expression on a wide grid. Values are bytes in base64, z slowest. */
export interface VolumeMap {
  readonly image: { readonly shape: Axes; readonly spacing_um: Axes; readonly values: string };
  readonly grid: { readonly shape: Axes; readonly spacing_um: Axes };
  /** Of each gene that is shown: 0 is `low`, 254 `high`, 255 outside of tissue. */
  readonly expression: readonly { readonly low: number; readonly high: number; readonly values: string }[];
}

/** `evaluation/volumes.json`. */
export interface VolumesEvidence {
  readonly schema: typeof EVIDENCE_SCHEMA;
  /** Of interest, that were trained on. */
  readonly spots: number;
  /** Says that the volumes are serial sections. */
  readonly serial?: string;
  readonly unit: string;
  readonly genes: readonly string[];
  readonly sections: readonly VolumeSection[];
  readonly rows: readonly VolumeRow[];
  readonly differences: readonly VolumeDifference[];
  /** Genes that are shown, the best told first. */
  readonly shown: readonly string[];
  readonly measured?: VolumeSpots;
  readonly map?: VolumeMap;
}

// Sums and squares of what is drawn stay numbers.
const real = within(-1e30, 1e30);
const micrometres = within(0, 1e9);
const axes = list(within(1e-3, 1e9), 3);
const shape = list(count, 3);
const correlation = within(-1.001, 1.001);
const difference = within(-2.002, 2.002);

/** Checks the file. */
export const volumesEvidence: Check<VolumesEvidence> = object<VolumesEvidence>({
  ...{ schema: exactly(EVIDENCE_SCHEMA), spots: count, serial: optional(text), unit: text, genes: list(text) },
  sections: list(object<VolumeSection>({ name: text, away_um: micrometres, spots: count })),
  rows: list(object<VolumeRow>({
    ...{ id: text, label: text, scores: list(list(nullable(correlation))), errors: list(nullable(within(0, 1e30))) },
  })),
  differences: list(object<VolumeDifference>({
    ...{ of: text, over: text, section: text, mean: difference, low: difference, high: difference },
  })),
  shown: list(text),
  measured: optional(object<VolumeSpots>({
    ...{ section: list(count), x: list(real), y: list(real), z: list(real) },
    ...{ measured: list(list(nullable(real))), predicted: list(list(real)) },
  })),
  map: optional(object<VolumeMap>({
    image: object<VolumeMap["image"]>({ shape, spacing_um: axes, values: base64 }),
    grid: object<VolumeMap["grid"]>({ shape, spacing_um: axes }),
    expression: list(object<VolumeMap["expression"][number]>({ low: real, high: real, values: base64 })),
  })),
});

/** Path, what was found and what was expected of the first list that does not fit the others; undefined where all do. */
export function unevenVolumes(
  { genes, sections, rows, shown, measured, map }: VolumesEvidence,
): readonly [path: string, found: string, expected: string] | undefined {
  const lists: (readonly [path: string, found: number, expected: number])[] = [];
  for (const [i, { scores, errors }] of rows.entries()) {
    lists.push([`rows[${i}].scores`, scores.length, sections.length], [
      `rows[${i}].errors`,
      errors.length,
      sections.length,
    ]);
    scores.forEach((of, s) => lists.push([`rows[${i}].scores[${s}]`, of.length, genes.length]));
  }
  if (measured !== undefined) {
    const n = measured.section.length;
    for (const axis of ["x", "y", "z"] as const) lists.push([`measured.${axis}`, measured[axis].length, n]);
    for (const name of ["measured", "predicted"] as const) {
      lists.push([`measured.${name}`, measured[name].length, shown.length]);
      measured[name].forEach((values, g) => lists.push([`measured.${name}[${g}]`, values.length, n]));
    }
    const bad = measured.section.findIndex((s) => s >= sections.length);
    if (bad >= 0) return [`measured.section[${bad}]`, String(measured.section[bad]), `below ${sections.length}`];
  }
  if (map !== undefined) {
    const size = (of: Axes) => of.reduce((a, b) => a * b, 1);
    const bytes = (values: string) => values.length / 4 * 3 - (/=*$/.exec(values)![0].length);
    for (const name of ["image", "grid"] as const) {
      lists.push([`map.${name}.shape`, map[name].shape.length, 3]);
      lists.push([`map.${name}.spacing_um`, map[name].spacing_um.length, 3]);
    }
    lists.push(["map.image.values", bytes(map.image.values), size(map.image.shape)]);
    lists.push(["map.expression", map.expression.length, shown.length]);
    map.expression.forEach(({ values }, g) =>
      lists.push([`map.expression[${g}].values`, bytes(values), size(map.grid.shape)])
    );
  }
  const wrong = lists.find(([, found, expected]) => found !== expected);
  return wrong && [wrong[0], `${wrong[1]} values`, String(wrong[2])];
}
