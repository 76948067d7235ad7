/**
 * How well expression is told on the test sections of the volume of interest: Pearson a gene over the spots of a section.
 *
 * @module
 */

import { pearson } from "../../eval/correlation.ts";
import type { VortexData } from "./data.ts";

/** A section with its spots. */
export interface TestSection {
  readonly name: string;
  readonly pairs: readonly number[];
  /** Mean depth of its spots less that of the nearest training section, µm. */
  readonly away: number;
}

/** Test sections of the volume of interest. */
export function testSections({ pairs, voi }: Pick<VortexData, "pairs" | "voi">): TestSection[] {
  const own = pairs.map((pair, p) => ({ ...pair, p })).filter(({ volume }) => volume === voi);
  const depth = (of: readonly { place: readonly number[] }[]) =>
    of.reduce((sum, { place }) => sum + place[2]!, 0) / of.length;
  const groups = (part: string) => [...Map.groupBy(own.filter((pair) => pair.part === part), ({ section }) => section)];
  const trained = groups("train").map(([, of]) => depth(of));
  return groups("test").map(([name, of]) => ({
    // Of its file's path only the last part.
    name: name.replace(/[^ ]*[/\\]/, ""),
    pairs: of.map(({ p }) => p),
    away: Math.min(...trained.map((z) => Math.abs(depth(of) - z))),
  }));
}

/** Scores of what is said of the pairs of sections, one behind the other: by section and gene; null where not defined. */
export function scoresOf(
  { x, measured, genes }: Pick<VortexData, "x" | "measured" | "genes">,
  sections: readonly TestSection[],
  said: Float32Array,
): (number | null)[][] {
  const G = genes.length;
  let first = 0;
  return sections.map(({ pairs }) => {
    const from = first;
    first += pairs.length;
    return genes.map((_, g) => {
      if (measured[pairs[0]! * G + g] === 0) return null;
      const told = pairs.map((_, i) => said[(from + i) * G + g]!);
      const { value, reason } = pearson(told, pairs.map((pair) => x[pair * G + g]!));
      return reason === "constant target" ? null : value ?? 0;
    });
  });
}

/** Root mean square of what is missed by section, over its spots and the genes that were measured there. */
export function errorsOf(
  { x, measured, genes }: Pick<VortexData, "x" | "measured" | "genes">,
  sections: readonly TestSection[],
  said: Float32Array,
): (number | null)[] {
  const G = genes.length;
  let first = 0;
  return sections.map(({ pairs }) => {
    const from = first;
    first += pairs.length;
    let [sum, count] = [0, 0];
    pairs.forEach((pair, i) => {
      for (let g = 0; g < G; g++) {
        if (measured[pair * G + g] === 0) continue;
        sum += (said[(from + i) * G + g]! - x[pair * G + g]!) ** 2;
        count++;
      }
    });
    return count === 0 ? null : Math.sqrt(sum / count);
  });
}

/** Mean of what is defined. */
export function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length;
}
