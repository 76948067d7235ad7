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
  /** Of the image, where one was given. */
  readonly image: string | undefined;
}

/**
 * Digests a table of raw counts. Genes of no count do not matter, so that dropping them changes nothing.
 *
 * @param image Digest of an image of the sample, such as its thumbnail's SHA-256.
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
  /** Equal tables, equal images, or tables that share spots. */
  readonly kind: "counts" | "image" | "spots";
  /** Share of the smaller sample's spots that the other has. */
  readonly share: number;
}

/** Up to so many samples of equal content all pairs are reported; of more, each with the first and with the one before it. */
const ALL_PAIRS = 64;

/**
 * Pairs of samples with equal content. Time and memory go by the spots and what they share, not by the pairs of samples.
 *
 * @param least Share of the smaller sample's spots from which shared spots are reported.
 */
export function findDuplicates(digests: readonly SampleDigest[], least = 0.05): Duplicate[] {
  const n = digests.length;
  const kinds = new Map<number, Duplicate["kind"]>();
  const add = (j: number, i: number, kind: Duplicate["kind"]) => kinds.has(i * n + j) || kinds.set(i * n + j, kind);
  const tell = (group: readonly number[], kind: Duplicate["kind"]) => {
    group.forEach((i, at) => {
      const before = group.length <= ALL_PAIRS ? group.slice(0, at) : at === 0 ? [] : [group[0]!, group[at - 1]!];
      for (const j of before) add(j, i, kind);
    });
  };
  const equal = Map.groupBy(digests.keys(), (i) => digests[i]!.counts);
  for (const group of equal.values()) tell(group, "counts");
  const images = Map.groupBy(
    [...digests.keys()].filter((i) => digests[i]!.image !== undefined),
    (i) => digests[i]!.image,
  );
  for (const group of images.values()) tell(group, "image");
  // Of many equal samples the first ones stand for all: they share all spots anyway.
  const shared = sharedSpots(
    digests,
    [...equal.values()].flatMap((group) => group.slice(0, ALL_PAIRS)).sort((a, b) => a - b),
  );
  const shareOf = (j: number, i: number): number => {
    const smaller = Math.min(digests[i]!.spots.size, digests[j]!.spots.size);
    const same = digests[i]!.counts === digests[j]!.counts ? smaller : shared.get(i * n + j) ?? 0;
    return smaller === 0 ? 0 : same / smaller;
  };
  for (const key of shared.keys()) {
    const [i, j] = [Math.floor(key / n), key % n];
    if (digests[i]!.counts !== digests[j]!.counts && shareOf(j, i) >= least) add(j, i, "spots");
  }
  return [...kinds].sort(([a], [b]) => a - b).map(([key, kind]) => {
    const [i, j] = [Math.floor(key / n), key % n];
    return { a: digests[j]!.sample, b: digests[i]!.sample, kind, share: shareOf(j, i) };
  });
}

/** Spots that pairs of the given samples share: by `later * samples + earlier`. */
function sharedSpots(digests: readonly SampleDigest[], among: readonly number[]): Map<number, number> {
  const owners = new Map<string, number[]>();
  const shared = new Map<number, number>();
  for (const i of among) {
    for (const spot of digests[i]!.spots) {
      const before = owners.get(spot);
      if (before === undefined) owners.set(spot, [i]);
      else {
        for (const j of before) {
          const key = i * digests.length + j;
          shared.set(key, (shared.get(key) ?? 0) + 1);
        }
        before.push(i);
      }
    }
  }
  return shared;
}
