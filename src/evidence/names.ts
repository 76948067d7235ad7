/**
 * Genes of a run's evidence as the data write them: `C1orf53`, which inside is `C1ORF53`.
 *
 * @module
 */

import { type Vocabulary, writtenGenes } from "../data/genes/vocabulary.ts";
import type { EncoderResult, ProbeScores, RunEvidence } from "../report/run_evidence.ts";

/** Parts of the evidence that name genes. */
type Parts = Partial<Pick<RunEvidence, "results" | "maps" | "embedding" | "gallery">>;

/** Tells how the data write a gene of the vocabulary; other names stay as they are. */
export function writtenNames(vocabulary: Pick<Vocabulary, "genes" | "written">): (gene: string) => string {
  const written = writtenGenes(vocabulary);
  const names = new Map(vocabulary.genes.map((gene, g) => [gene, written[g]!]));
  return (gene) => names.get(gene) ?? gene;
}

/** The parts with the names that people read. */
export function asWritten<T extends Parts>(parts: T, vocabulary: Pick<Vocabulary, "genes" | "written">): T {
  const nameOf = writtenNames(vocabulary);
  const named = <G extends { readonly gene: string }>(all: readonly G[]): G[] =>
    all.map((one) => ({ ...one, gene: nameOf(one.gene) }));
  const probe = (scores: ProbeScores): ProbeScores => ({ ...scores, genes: named(scores.genes) });
  const encoder = (one: EncoderResult): EncoderResult => ({
    ...one,
    ...(one.probe && { probe: probe(one.probe) }),
    ...(one.benchmark && { benchmark: probe(one.benchmark) }),
  });
  const { results, maps, embedding, gallery } = parts;
  return {
    ...parts,
    ...(results && { results: { ...results, encoders: results.encoders.map(encoder) } }),
    ...(maps && { maps: maps.map((map) => ({ ...map, genes: map.genes.map(nameOf) })) }),
    ...(embedding?.genes && { embedding: { ...embedding, genes: named(embedding.genes) } }),
    ...(gallery && {
      gallery: { ...gallery, queries: gallery.queries.map((one) => ({ ...one, top_genes: named(one.top_genes) })) },
    }),
  };
}
