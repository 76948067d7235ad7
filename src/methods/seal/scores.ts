/**
 * What a run says of itself while it trains: retrieval between both sides and the image decoder's correlation, on the
 * held-out donors.
 *
 * @module
 */

import { ranker } from "../../eval/gallery.ts";
import { retrieval } from "../../eval/retrieval.ts";
import { heldOutSamples, meanPearson, pairsOf } from "../../evidence/held_out.ts";
import type { Stage } from "./rates.ts";
import type { SealSession } from "./session.ts";

/** Organ id of a pair, where the model wants it. */
export function organOfPair({ set, organs }: SealSession): ((pair: number) => number) | undefined {
  return organs.length ? (pair) => organs[set.locate(pair).sample]! : undefined;
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
  const x = session.expression(pairs);
  const genes = { count: set.genes, chosen };
  const gene = await plain.genes(x);
  if (stage === "warmup") return { pearson_mean: meanPearson(gene.expression, x, genes, samples) };
  const organ = organOfPair(session);
  const image = await plain.images(pairs.map((pair) => session.rows.unchanged(pair)), organ && pairs.map(organ));
  const decoded = model.decoder && { pearson_mean: meanPearson(image.expression, x, genes, samples) };
  if (!model.joint) return { ...decoded };
  const slides = samples.flatMap(({ id, count }) => new Array<string>(count).fill(id));
  const found = await retrieval({ image: image.projected, gene: gene.projected, width: model.dim, slides }, {
    ks: [1, 5, 10],
    rank: ranker(session.gpu),
  });
  const { imageToGene, geneToImage } = found.within?.mean ?? found.across;
  const recall = (way: string, of: typeof imageToGene) =>
    Object.entries(of.recall).map(([k, value]) => [`recall_at_${k}_${way}`, value ?? NaN]);
  return {
    ...decoded,
    ...Object.fromEntries([...recall("i2g", imageToGene), ...recall("g2i", geneToImage)]),
  };
}
