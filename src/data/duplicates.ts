/**
 * Samples that are the same data under two names, found by content: catalogues give one specimen two identifiers.
 *
 * @module
 */

import type { Expression } from "./counts.ts";
import { accumulate, type Digest, digestNumber, digestText, hexOf } from "./digest.ts";
import { visitRow } from "./matrix.ts";

/** Genes a spot must show before its equality with another means anything. */
const TELLING_GENES = 10;

/** The content of one sample, whatever the order of its spots and genes and the names of its spots. */
export interface SampleDigest {
  readonly sample: string;
  /** Of the whole table, 32 hexadecimal digits. */
  readonly counts: string;
  /** Of each spot that shows at least ten genes. */
  readonly spots: ReadonlySet<string>;
  /** Of the picture, where one was given. */
  readonly image: string | undefined;
}

/**
 * Digests a table of raw counts. Genes of no count do not matter, so that dropping them changes nothing.
 *
 * @param image Digest of a picture of the sample, such as its thumbnail's SHA-256.
 */
export function digestSample(table: Expression, image?: string): SampleDigest {
  const genes: Digest[] = table.genes.map((name) => digestText(name.toUpperCase()));
  const all = new Uint32Array(4);
  const spots = new Set<string>();
  for (let i = 0; i < table.spots.length; i++) {
    const spot = new Uint32Array(4);
    let shown = 0;
    visitRow(table.matrix, i, (column, value) => {
      if (value === 0) return;
      accumulate(spot, digestNumber(genes[column]!, value));
      shown++;
    });
    accumulate(all, digestNumber([spot[0]!, spot[1]!, spot[2]!, spot[3]!], shown));
    if (shown >= TELLING_GENES) spots.add(hexOf(spot));
  }
  return { sample: table.sample, counts: hexOf(all), spots, image };
}

/** Two samples that share content. */
export interface Duplicate {
  readonly a: string;
  readonly b: string;
  /** Equal tables, equal pictures, or tables that share spots. */
  readonly kind: "counts" | "image" | "spots";
  /** Share of the smaller sample's spots that the other has. */
  readonly share: number;
}

/**
 * Pairs of samples with equal content.
 *
 * @param least Share of the smaller sample's spots from which shared spots are reported.
 */
export function findDuplicates(digests: readonly SampleDigest[], least = 0.05): Duplicate[] {
  const owners = new Map<string, number[]>();
  const shared = new Map<string, number>();
  digests.forEach((digest, i) => {
    for (const spot of digest.spots) {
      const before = owners.get(spot);
      if (before === undefined) owners.set(spot, [i]);
      else {
        for (const j of before) shared.set(`${j} ${i}`, (shared.get(`${j} ${i}`) ?? 0) + 1);
        before.push(i);
      }
    }
  });
  const found: Duplicate[] = [];
  digests.forEach((b, i) => {
    for (let j = 0; j < i; j++) {
      const a = digests[j]!;
      const smaller = Math.min(a.spots.size, b.spots.size);
      const share = smaller === 0 ? 0 : (shared.get(`${j} ${i}`) ?? 0) / smaller;
      const kind = a.counts === b.counts
        ? "counts"
        : a.image !== undefined && a.image === b.image
        ? "image"
        : share >= least && share > 0
        ? "spots"
        : undefined;
      if (kind !== undefined) found.push({ a: a.sample, b: b.sample, kind, share });
    }
  });
  return found;
}
