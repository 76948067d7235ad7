/**
 * What `retrieve` says: metrics both ways within and across slides, some queries with what they found, and gene-set queries,
 * as the object of `retrieval.json` and as rows of the gallery.
 *
 * @module
 */

import { fixed } from "../core/fixed.ts";
import type { PatchReader } from "../data/patch_reader.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { badRows, Gallery, ranker, rowsOf } from "../eval/gallery.ts";
import { geneProfile, parseRaises, type Raised, rankRows, type SetQuery } from "../eval/gene_query.ts";
import type { EmbeddedPairs, TrainedModel } from "../eval/inference.ts";
import { type ByK, type Direction, type PoolMetrics, retrieval, type RetrievalReport } from "../eval/retrieval.ts";
import type { Gpu } from "../gpu/device.ts";
import type { GallerySection } from "../report/retrieval_gallery.ts";
import { type DonorKind, donorKinds, type KindReport, reportKinds, type TrainedOn } from "./retrieve_donors.ts";

/** What is asked. */
export interface RetrieveOptions {
  readonly gpu: Gpu;
  /** Recall at these. */
  readonly ks: readonly number[];
  /** Patches shown a query. */
  readonly shown: number;
  /** Queries shown each way. */
  readonly queries: number;
  /** What the shown queries search: all pairs, or those of their slide. */
  readonly pool: "all" | "slide";
  /** Gene-set queries, as `parseRaises` reads them. */
  readonly genes: readonly string[];
  /** Gene sets, each a query. */
  readonly sets?: readonly SetQuery[];
  /** What the model was trained on. */
  readonly trained: TrainedOn;
  /** Storage of galleries on the device. */
  readonly storage: "f32" | "f16";
}

/** The answer. */
export interface RetrieveResult {
  readonly json: Readonly<Record<string, unknown>>;
  readonly sections: readonly GallerySection[];
  readonly report: RetrievalReport;
  /** Of sections by whether training saw their donors. */
  readonly kinds: readonly KindReport[];
  /** Gene-set queries as `retrieval.json` has them. */
  readonly genes: readonly GeneQuery[];
}

/** A gene-set query in `retrieval.json`. */
export type GeneQuery = ReturnType<typeof answerJson>;

/** A spot that was found. */
interface Hit {
  readonly pair: number;
  readonly score: number;
}

/** A query and what it found. */
interface Shown {
  readonly pair: number;
  /** From 1; null where an embedding has no direction. */
  readonly rank: number | null;
  readonly pool: number;
  readonly hits: readonly Hit[];
}

/** A gene-set query and what it found. */
interface GeneAnswer {
  readonly text: string;
  readonly raised: readonly Raised[];
  readonly missing: readonly string[];
  readonly hits: readonly Hit[];
  readonly reason?: string;
}

/** Computes all of it. */
export async function retrieveResult(
  model: TrainedModel,
  set: TrainingSet,
  reader: PatchReader,
  embedded: EmbeddedPairs,
  options: RetrieveOptions,
): Promise<RetrieveResult> {
  const { gpu, storage, ks } = options;
  // Read before anything long begins, so that a mistake in a query costs nothing.
  const named = options.genes.map((text) => ({ text, raises: parseRaises(text, model.vocabulary.genes), missing: [] }));
  const raises: readonly SetQuery[] = [...named, ...options.sets ?? []];
  const how = { ks, rank: ranker(gpu, { storage }) };
  const report = await retrieval(embedded, how);
  const kindOf = donorKinds(set, options.trained);
  const kinds = await reportKinds(embedded, kindOf, report, how);
  const chosen = spread(set.count, options.queries);
  const toImage = await search(embedded.gene, embedded.image, embedded, chosen, options);
  const toGene = await search(embedded.image, embedded.gene, embedded, chosen, options);
  const answers: GeneAnswer[] = [];
  for (const { text, raises: asked, missing } of raises) {
    const { x, raised } = geneProfile(model.vocabulary, asked, (g) => column(set, g));
    const { rows, scores, reason } = rankRows(await model.encodeGenes(x), embedded.image, embedded.width);
    const hits = [...rows.subarray(0, options.shown)].map((pair, i) => ({ pair, score: scores[i]! }));
    answers.push({ text, raised, missing, hits, ...(reason ? { reason } : {}) });
  }
  const genes = answers.map((answer) => answerJson(set, answer));
  return {
    report,
    kinds,
    json: {
      pairs: set.count,
      samples: set.samples.map(({ id, count }) => ({ sample: id, pairs: count, donor: kindOf.get(id)! })),
      space: { width: embedded.width },
      ...reportJson(report),
      donors: Object.fromEntries(
        kinds.map(({ kind, samples, report }) => [kind, { sections: samples, ...reportJson(report) }]),
      ),
      shown: { pool: options.pool, gene_to_image: shownJson(set, toImage), image_to_gene: shownJson(set, toGene) },
      gene_queries: genes,
    },
    genes,
    sections: await sectionsOf(set, reader, { toImage, toGene, answers, kindOf }, options),
  };
}

/** `count` numbers below `n`, evenly apart. */
function spread(n: number, count: number): number[] {
  const most = Math.min(n, count);
  return Array.from({ length: most }, (_, i) => Math.floor((i + 0.5) * n / most));
}

function column(set: TrainingSet, gene: number): Float32Array {
  return Float32Array.from({ length: set.count }, (_, pair) => set.expression(pair)[gene]!);
}

/** Finds what chosen queries find in their pool, and the rank of their own row there. */
async function search(
  queries: Float32Array,
  gallery: Float32Array,
  { width, slides }: EmbeddedPairs,
  chosen: readonly number[],
  { gpu, storage, shown, pool }: RetrieveOptions,
): Promise<Shown[]> {
  const [badQuery, badRow] = [badRows(queries, width), badRows(gallery, width)];
  const sound = slides.map((_, pair) => pair).filter((pair) => !badRow[pair]);
  const out: Shown[] = [];
  for (const slide of new Set(pool === "all" ? ["all"] : chosen.map((pair) => slides[pair]!))) {
    const own = pool === "all" ? chosen : chosen.filter((pair) => slides[pair] === slide);
    const rows = pool === "all" ? sound : sound.filter((pair) => slides[pair] === slide);
    const place = new Map(rows.map((pair, i) => [pair, i]));
    const asked = own.filter((pair) => !badQuery[pair] && place.has(pair));
    const without = own.filter((pair) => !asked.includes(pair));
    out.push(...without.map((pair) => ({ pair, rank: null, pool: rows.length, hits: [] })));
    if (!asked.length) continue;
    const held = Gallery.from(gpu, rowsOf(gallery, width, rows), width, { storage });
    const k = Math.min(shown, rows.length);
    const given = rowsOf(queries, width, asked);
    const near = await held.nearest(given, k);
    const { above } = await held.ranks(given, asked.map((pair) => place.get(pair)!));
    await held.destroy();
    asked.forEach((pair, q) => {
      const hits = Array.from({ length: k }, (_, j) => ({
        pair: rows[near.rows[q * k + j]!]!,
        score: near.scores[q * k + j]!,
      }));
      out.push({ pair, rank: above[q]! + 1, pool: rows.length, hits });
    });
  }
  return out.sort((a, b) => a.pair - b.pair);
}

function nameOf(set: TrainingSet, pair: number): { sample: string; barcode: string } {
  const { sample, row } = set.locate(pair);
  return { sample: set.samples[sample]!.id, barcode: set.samples[sample]!.barcodes[row]! };
}

function directionJson({ recall, recallTies, medianRank, mrr, tied, invalid, reason }: Direction) {
  const at = (values: ByK) => Object.fromEntries(Object.entries(values).map(([k, value]) => [k, value]));
  return {
    recall: at(recall),
    recall_ties_at_random: at(recallTies),
    median_rank: medianRank,
    mean_reciprocal_rank: mrr,
    tied_queries: tied,
    invalid_queries: invalid,
    ...(reason ? { reason } : {}),
  };
}

function poolJson({ pairs, chance, imageToGene, geneToImage }: PoolMetrics) {
  return {
    pairs,
    chance,
    image_to_gene: directionJson(imageToGene),
    gene_to_image: directionJson(geneToImage),
  };
}

/** A report under the names of `retrieval.json`. */
export function reportJson({ ks, precision, across, within }: RetrievalReport): Record<string, unknown> {
  return {
    recall_at: ks,
    precision,
    across_slides: poolJson(across),
    ...(within
      ? {
        within_slides: {
          slides: within.slides,
          mean: poolJson(within.mean),
          by_slide: Object.fromEntries(Object.entries(within.bySlide).map(([slide, pool]) => [slide, poolJson(pool)])),
        },
      }
      : {}),
  };
}

function hitsJson(set: TrainingSet, hits: readonly Hit[], own?: number) {
  return hits.map(({ pair, score }) => ({
    ...nameOf(set, pair),
    score,
    ...(own === undefined ? {} : { correct: pair === own }),
  }));
}

function shownJson(set: TrainingSet, queries: readonly Shown[]) {
  return queries.map(({ pair, rank, pool, hits }) => ({
    ...nameOf(set, pair),
    rank,
    pool,
    ...(rank === null ? { reason: "an embedding of the pair has length zero or is not finite" } : {}),
    found: hitsJson(set, hits, pair),
  }));
}

/** With the measured expression of the raised genes in what was found and everywhere, by which a query can be judged. */
function answerJson(set: TrainingSet, { text, raised, missing, hits, reason }: GeneAnswer) {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  return {
    query: text,
    ...(missing.length > 0 ? { missing } : {}),
    raised: raised.map(({ gene, place, from, to, reason }) => {
      const values = column(set, place);
      return {
        gene,
        training_mean: from,
        asked: to,
        measured_in_first: hits[0] === undefined ? null : values[hits[0].pair]!,
        measured_in_found: hits.length ? mean(hits.map(({ pair }) => values[pair]!)) : null,
        measured_in_all: values.length ? mean([...values]) : null,
        ...(reason ? { reason } : {}),
      };
    }),
    found: hitsJson(set, hits),
    ...(reason ? { reason } : {}),
  };
}

async function sectionsOf(
  set: TrainingSet,
  reader: PatchReader,
  { toImage, toGene, answers, kindOf }: {
    toImage: Shown[];
    toGene: Shown[];
    answers: GeneAnswer[];
    kindOf: ReadonlyMap<string, DonorKind>;
  },
  { pool }: RetrieveOptions,
): Promise<GallerySection[]> {
  const side = reader.table.size;
  const tile = async (pair: number) => {
    const { sample, barcode } = nameOf(set, pair);
    const { data } = await reader.batch({ pairs: Uint32Array.of(pair) });
    return { image: { width: side, height: side, data }, label: `${sample} ${barcode}, ${kindOf.get(sample)} donor` };
  };
  const found = (hits: readonly Hit[], own?: number) =>
    Promise.all(hits.map(async ({ pair, score }) => ({
      ...await tile(pair),
      score,
      ...(own === undefined ? {} : { correct: pair === own }),
    })));
  const rows = (queries: readonly Shown[]) =>
    Promise.all(queries.map(async ({ pair, rank, pool, hits }) => {
      const query = await tile(pair);
      return {
        query,
        title: `${query.label} among ${pool}`,
        ...(rank === null ? {} : { rank }),
        found: await found(hits, pair),
      };
    }));
  const where = pool === "all" ? "all patches" : "the patches of its slide";
  return [
    {
      title: "Gene to image",
      about: `A spot's expression asks; ${where} answer, best first. Left: the spot's own patch.`,
      rows: await rows(toImage),
    },
    {
      title: "Image to gene",
      about: "A patch asks; spots answer by their expression, shown by their patches. Left: the asking patch.",
      rows: await rows(toGene),
    },
    ...(answers.length
      ? [{
        title: "Gene-set queries",
        about: "The training mean with these genes raised asks; all patches answer, best first.",
        rows: await Promise.all(answers.map(async ({ raised, hits }) => ({
          title: raised.map(({ gene, from, to }) => `${gene} ${fixed(from, 2)} to ${fixed(to, 2)}`).join(", "),
          found: await found(hits),
        }))),
      }]
      : []),
  ];
}
