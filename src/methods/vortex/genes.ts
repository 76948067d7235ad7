/**
 * Which genes a run has: those seen in enough spots, by their variance and by how alike neighbouring spots are (Moran's I), ranks
 * added; or those of a list.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { decodeText, parseNames } from "../../io/csv.ts";
import { type Disk, readBytes } from "../../io/disk.ts";
import type { VortexConfig } from "./config.ts";
import type { Section } from "./sections.ts";

/** Neighbours of a spot whose expression is compared with its own. */
const NEIGHBOURS = 6;

/** Genes that are ranked, by variance. */
const RANKED = 2000;

/** Genes of a volume that are seen in enough of the spots of its training sections. */
export function detected(sections: readonly Section[], volume: string, least: number): Set<string> {
  const own = sections.filter(({ row }) => row.volume === volume && row.part === "train");
  const spots = own.reduce((sum, { barcodes }) => sum + barcodes.length, 0);
  const seen = new Map<string, number>();
  for (const section of own) {
    section.genes.forEach((gene, g) => seen.set(gene, (seen.get(gene) ?? 0) + section.seen[g]!));
  }
  return new Set([...seen].filter(([, count]) => count >= least * spots && count > 0).map(([gene]) => gene));
}

/** The nearest spots of each, `[spots, k]`. */
function neighboursOf({ places }: Section): number[][] {
  return places.map((place, i) =>
    places.map((other, j) => ({ j, apart: Math.hypot(other[0] - place[0], other[1] - place[1]) }))
      .filter(({ j }) => j !== i).sort((a, b) => a.apart - b.apart).slice(0, NEIGHBOURS).map(({ j }) => j)
  );
}

function meanOf(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function varianceOf(values: Float64Array): number {
  const mean = meanOf(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

/** Moran's I: how alike neighbours are, 1 at most, about 0 by chance. */
export function moransI(values: Float64Array, near: readonly (readonly number[])[]): number {
  const mean = meanOf(values);
  let [together, pairs] = [0, 0];
  near.forEach((others, i) => {
    for (const j of others) {
      together += (values[i]! - mean) * (values[j]! - mean);
      pairs++;
    }
  });
  const variance = varianceOf(values);
  return variance > 0 && pairs > 0 ? together / pairs / variance : 0;
}

/** Genes of a section by variance and autocorrelation, the best first. */
function ranked(section: Section, among: ReadonlySet<string>): string[] {
  const { genes, values, places } = section;
  const column = (g: number) => Float64Array.from(places, (_, i) => values[i * genes.length + g]!);
  const near = neighboursOf(section);
  const scored = genes.flatMap((gene, g) => among.has(gene) ? [{ gene, g, variance: varianceOf(column(g)) }] : []);
  const order = <T extends { gene: string }>(of: readonly T[], key: (one: T) => number) =>
    [...of].sort((a, b) => key(b) - key(a) || (a.gene < b.gene ? -1 : 1));
  const kept = order(scored, ({ variance }) => variance).slice(0, RANKED)
    .map((one, rank) => ({ ...one, rank, moran: moransI(column(one.g), near) }));
  const byMoran = new Map(order(kept, ({ moran }) => moran).map(({ gene }, rank) => [gene, rank]));
  return order(kept, ({ gene, rank }) => -(rank + byMoran.get(gene)!)).map(({ gene }) => gene);
}

/** Genes of a list. @throws {DataError} If no section has one. */
function listed(file: string, known: ReadonlySet<string>, disk: Disk): string[] {
  const names = [...new Set(parseNames(decodeText(readBytes(disk, file), file), file))];
  const missing = names.filter((name) => !known.has(name));
  if (names.length > 0 && missing.length === 0) return names;
  throw new DataError(
    `Cannot use ${file}: ${
      names.length === 0
        ? "it names no gene"
        : `no section has ${missing.length} of its ${names.length} genes (${missing.slice(0, 5).join(", ")})`
    }, expected genes of the sections`,
    { code: "gene-manifest", hint: "Names are compared as they stand", context: { missing: missing.slice(0, 100) } },
  );
}

/** The genes of a run. @param leading Volume whose sections rank them: that of interest, else the first. */
export function chooseGenes(
  sections: readonly Section[],
  { genes: { n_genes, genes_include, gene_list, least_spots } }: Pick<VortexConfig, "genes">,
  leading: string,
  disk: Disk,
): string[] {
  const known = new Set(sections.flatMap(({ genes }) => genes));
  const include = genes_include.filter((gene) => !known.has(gene));
  if (include.length > 0) {
    throw new DataError(`Cannot include ${include.join(", ")}: no section has it, expected genes of the sections`, {
      code: "gene-manifest",
      hint: "Names are compared as they stand",
      context: { missing: include },
    });
  }
  if (gene_list !== null) return [...new Set([...listed(gene_list, known, disk), ...genes_include])];
  const first = sections.find(({ row }) => row.volume === leading && row.part === "train")!;
  const best = ranked(first, detected(sections, leading, least_spots)).slice(0, n_genes);
  const chosen = [...new Set([...genes_include, ...best])];
  if (chosen.length > 0) return chosen;
  throw new DataError(
    `Cannot choose genes of ${first.row.expression}: none is seen in ${
      100 * least_spots
    } % of its spots, expected some`,
    { code: "gene-manifest", hint: "Lower least_spots, or give a gene_list", context: { file: first.row.expression } },
  );
}
