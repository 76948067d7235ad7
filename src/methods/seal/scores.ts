/**
 * What a run says of itself while it trains: retrieval between both sides and the image decoder's correlation, on the
 * held-out donors.
 *
 * @module
 */

import { pearson } from "../../eval/correlation.ts";
import { ranker } from "../../eval/gallery.ts";
import { retrieval } from "../../eval/retrieval.ts";
import type { Stage } from "./rates.ts";
import type { SealSession } from "./session.ts";

/** Samples that are held out, test before validation. */
export function heldOutSamples({ set }: Pick<SealSession, "set">): SealSession["set"]["samples"] {
  const test = set.samples.filter(({ role }) => role === "test");
  return test.length ? test : set.samples.filter(({ role }) => role === "validation");
}

/** Numbers of the pairs of samples, in order. */
export function pairsOf(samples: readonly { readonly first: number; readonly count: number }[]): number[] {
  return samples.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
}

/** Organ id of a pair, where the model wants it. */
export function organOfPair({ set, organs }: SealSession): ((pair: number) => number) | undefined {
  return organs.length ? (pair) => organs[set.locate(pair).sample]! : undefined;
}

/**
 * Mean over samples of the mean over genes of the correlation between prediction and measurement; genes that do not vary in a
 * sample do not count there. NaN where none varies.
 */
export function meanPearson(
  predicted: Float32Array,
  measured: Float32Array,
  genes: { readonly count: number; readonly chosen: readonly number[] },
  samples: readonly { readonly count: number }[],
): number {
  let [sum, slides, row] = [0, 0, 0];
  for (const { count } of samples) {
    const column = (data: Float32Array, gene: number) =>
      Float64Array.from({ length: count }, (_, i) => data[(row + i) * genes.count + gene]!);
    const found = genes.chosen.map((gene) => pearson(column(predicted, gene), column(measured, gene)))
      .filter(({ reason }) => reason === undefined || reason === "constant prediction")
      .map(({ reason, value }) => (reason === undefined ? value! : 0));
    if (found.length) {
      sum += found.reduce((a, b) => a + b, 0) / found.length;
      slides++;
    }
    row += count;
  }
  return slides ? sum / slides : NaN;
}

/** Evaluates on the held-out donors; empty without any. @param chosen Places of the reported genes in the vocabulary. */
export async function evaluate(
  session: SealSession,
  stage: Stage,
  chosen: readonly number[],
): Promise<Record<string, number>> {
  const { set, plain, model } = session;
  const samples = heldOutSamples(session);
  if (!samples.length) return {};
  const pairs = pairsOf(samples);
  const x = set.gather(pairs);
  const genes = { count: set.genes, chosen };
  const gene = await plain.genes(x);
  if (stage === "warmup") return { pearson_mean: meanPearson(gene.expression, x, genes, samples) };
  const organ = organOfPair(session);
  const image = await plain.images(pairs.map((pair) => session.rows.unchanged(pair)), organ && pairs.map(organ));
  const slides = samples.flatMap(({ id, count }) => new Array<string>(count).fill(id));
  const found = await retrieval({ image: image.projected, gene: gene.projected, width: model.dim, slides }, {
    ks: [1, 5, 10],
    rank: ranker(session.gpu),
  });
  const { imageToGene, geneToImage } = found.within?.mean ?? found.across;
  const recall = (way: string, of: typeof imageToGene) =>
    Object.entries(of.recall).map(([k, value]) => [`recall_at_${k}_${way}`, value ?? NaN]);
  return {
    ...(model.decoder && { pearson_mean: meanPearson(image.expression, x, genes, samples) }),
    ...Object.fromEntries([...recall("i2g", imageToGene), ...recall("g2i", geneToImage)]),
  };
}
