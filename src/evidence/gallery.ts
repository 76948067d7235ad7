/**
 * What queries by measured expression find among the patches of their slide, with the patches.
 *
 * @module
 */

import type { PatchSource } from "../data/patch_source.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { unitRows } from "../eval/ranks.ts";
import { rowsBySlide } from "../eval/retrieval.ts";
import type { Gallery, GalleryPatch, GalleryQuery } from "../report/run_evidence.ts";
import { evenly, type EvidenceData } from "./data.ts";
import type { JointSpace } from "./retrieval.ts";

const QUERIES = 6;
const HITS = 5;
const TOP_GENES = 5;

/** A query with what it found, by rows of held-out spots. */
interface Found {
  readonly row: number;
  readonly hits: readonly { readonly row: number; readonly score: number }[];
  readonly rank: number;
  readonly gallery: number;
}

/** Ranks the patches of each query's slide by cosine; a patch without a direction comes last. */
export function findPatches({ image, gene, width }: JointSpace, slides: readonly string[], queries: number): Found[] {
  const [a, b] = [unitRows(gene, width), unitRows(image, width)];
  const groups = rowsBySlide(slides);
  const sound = slides.flatMap((_, row) => (a.bad[row] || b.bad[row] ? [] : [row]));
  return evenly(sound.length, queries).map((i) => {
    const row = sound[i]!;
    const candidates = groups.get(slides[row]!)!;
    const scored = candidates.filter((other) => !b.bad[other]).map((other) => {
      let score = 0;
      for (let e = 0; e < width; e++) score += a.unit[row * width + e]! * b.unit[other * width + e]!;
      return { row: other, score };
    }).sort((x, y) => y.score - x.score || x.row - y.row);
    const own = scored.find((hit) => hit.row === row)!.score;
    const rank = 1 + scored.filter(({ score }) => score > own).length;
    return { row, hits: scored.slice(0, HITS), rank, gallery: candidates.length };
  });
}

/** The gallery; undefined where no held-out spot has a direction. */
export async function galleryOf(
  space: JointSpace,
  data: EvidenceData,
  { set, patches, label }: { set: TrainingSet; patches: PatchSource; label: string },
): Promise<Gallery | undefined> {
  const found = findPatches(space, data.heldSlides, QUERIES);
  if (found.length === 0) return undefined;
  const rows = [...new Set(found.flatMap(({ row, hits }) => [row, ...hits.map((hit) => hit.row)]))];
  const batch = await patches.batch({ pairs: Uint32Array.from(rows, (row) => data.heldPairs[row]!) });
  const bytes = patches.size * patches.size * 3;
  const patch = (row: number): GalleryPatch => {
    const { sample, row: spot } = set.locate(data.heldPairs[row]!);
    const { id, barcodes } = set.samples[sample]!;
    const at = rows.indexOf(row) * bytes;
    const image = { width: patches.size, height: patches.size, data: batch.data.subarray(at, at + bytes) };
    return { sample: id, barcode: barcodes[spot]!, image };
  };
  return {
    ranked_by: `${label}, joint space, patches of the same section`,
    chosen: "evenly over the held-out spots",
    queries: found.map(({ row, hits, rank, gallery }): GalleryQuery => ({
      ...patch(row),
      top_genes: standOut(set, data.heldPairs[row]!),
      hits: hits.map((hit) => ({
        ...patch(hit.row),
        score: Number(hit.score.toPrecision(6)),
        correct: hit.row === row,
      })),
      rank,
      gallery,
    })),
  };
}

/** Genes of a pair that are furthest above their mean over training spots, in standard deviations. */
function standOut(set: TrainingSet, pair: number): { gene: string; value: number }[] {
  const { mean, std } = set.statistics;
  const constant = new Set(set.constant);
  const { sample, row } = set.locate(pair);
  const own = set.own(sample).subarray(row * set.genes, (row + 1) * set.genes);
  return set.vocabulary.genes
    .flatMap((gene, g) => constant.has(gene) ? [] : [{ gene, value: (own[g]! - mean[g]!) / std[g]! }])
    .sort((a, b) => b.value - a.value || (a.gene < b.gene ? -1 : 1))
    .slice(0, TOP_GENES)
    .map(({ gene, value }) => ({ gene, value: Number(value.toPrecision(4)) }));
}
