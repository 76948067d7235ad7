/**
 * "Which patches look like spots where these genes are high?": an expression profile is built from the training mean with
 * the asked genes raised, encoded by the gene model, and compared with patches.
 *
 * x_g = mean_g for all genes but the asked ones; there x_g = mean_g + k std_g, or a percentile of the gene over the searched
 * spots. Expression is log-normalised, hence never below zero.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { GeneSet } from "../data/cohort/gene_sets.ts";
import { GeneResolver } from "../data/genes/resolve.ts";
import { type Vocabulary, writtenGenes } from "../data/genes/vocabulary.ts";
import { percentile } from "./linalg/statistics.ts";

/** A gene to be set: by so many training standard deviations above the mean (below when negative), or to a percentile. */
export type Raise =
  | { readonly gene: string; readonly std: number }
  | { readonly gene: string; readonly percentile: number };

/** A gene as it went into the query. */
export interface Raised {
  /** As the data write it. */
  readonly gene: string;
  /** Its place in the vocabulary. */
  readonly place: number;
  /** Training mean. */
  readonly from: number;
  readonly to: number;
  /** Why raising it does nothing, if so. */
  readonly reason?: string;
}

/** A profile to be encoded. */
export interface GeneProfile {
  /** `[genes]`, in the order of the vocabulary. */
  readonly x: Float32Array;
  readonly raised: readonly Raised[];
}

/** Standard deviations a gene is raised by where nothing is said. */
export const DEFAULT_RAISE = 2;

/**
 * Reads `EPCAM,KRT8+3,CD3E-1,ESR1@p95`: by two deviations, by three, down by one, to the 95th percentile. A `-` or `+` that
 * belongs to a name, as in HLA-A, needs no care: what follows it there is no number, or the name is in the vocabulary whole.
 *
 * @throws {ConfigError} If a part cannot be read.
 */
export function parseRaises(text: string, genes: readonly string[]): Raise[] {
  const known = new Set(genes);
  const parts = text.split(",").map((part) => part.trim().toUpperCase()).filter(Boolean);
  if (!parts.length) {
    throw new ConfigError(`Cannot read the gene query ${JSON.stringify(text)}: no gene is named`, {
      hint: "For example --genes EPCAM,KRT8+3,ESR1@p95",
    });
  }
  return parts.map((part) => {
    if (known.has(part)) return { gene: part, std: DEFAULT_RAISE };
    const ranked = /^(.+)@P(\d+(?:\.\d+)?)$/.exec(part);
    if (ranked && Number(ranked[2]) <= 100) return { gene: ranked[1]!, percentile: Number(ranked[2]) };
    if (part.includes("@")) {
      throw new ConfigError(`Cannot read ${part} of the gene query: wanted NAME@p with a number from 0 to 100`);
    }
    const by = /^(.+?)([+-]\d+(?:\.\d+)?)$/.exec(part);
    return by ? { gene: by[1]!, std: Number(by[2]) } : { gene: part, std: DEFAULT_RAISE };
  });
}

/** A gene set as a query: all its genes that the model knows are raised alike. */
export interface SetQuery {
  readonly text: string;
  readonly raises: readonly Raise[];
  /** Genes of the set that the model does not know. */
  readonly missing: readonly string[];
}

/**
 * Queries of gene sets; names that differ from the model's by their case alone are its genes.
 *
 * @returns `without`: sets of which the model knows no gene.
 * @throws {ConfigError} If it knows none of any.
 */
export function setQueries(
  sets: readonly GeneSet[],
  genes: readonly string[],
  file: string,
): { queries: SetQuery[]; without: string[] } {
  const resolver = new GeneResolver(genes);
  const queries = sets.map(({ name, genes: asked }): SetQuery => {
    const { columns, missing } = resolver.find(asked, true);
    return { text: name, raises: columns.map((j) => ({ gene: genes[j]!, std: DEFAULT_RAISE })), missing };
  });
  const known = queries.filter(({ raises }) => raises.length > 0);
  if (known.length === 0) {
    throw new ConfigError(`Cannot query the gene sets of ${file}: the model knows none of their genes`, {
      hint: `It knows ${genes.slice(0, 5).join(", ")}, …: name sets of symbols like these`,
      context: { file, sets: sets.length },
    });
  }
  return { queries: known, without: queries.filter((query) => !known.includes(query)).map(({ text }) => text) };
}

/**
 * Builds a profile.
 *
 * @param column Values of a gene over the searched spots, by its place in the vocabulary; only asked for percentiles.
 * @throws {ConfigError} If a gene is not in the vocabulary, named twice, or a percentile has no spots.
 */
export function geneProfile(
  vocabulary: Pick<Vocabulary, "genes" | "written" | "mean" | "std">,
  raises: readonly Raise[],
  column: (gene: number) => ArrayLike<number> = () => [],
): GeneProfile {
  const { genes, mean, std } = vocabulary;
  const x = Float32Array.from(mean);
  const written = writtenGenes(vocabulary);
  const seen = new Set<string>();
  const raised = raises.map((raise): Raised => {
    const { gene } = raise;
    const g = genes.indexOf(gene);
    if (g < 0) throw unknownGene(gene, vocabulary);
    if (seen.has(gene)) throw new ConfigError(`Cannot build a gene query: ${gene} is named twice`);
    seen.add(gene);
    const to = "std" in raise ? mean[g]! + raise.std * std[g]! : percentileOf(column(g), raise.percentile, gene);
    x[g] = Math.max(0, to);
    const constant = "std" in raise && !(std[g]! > 0);
    return {
      gene: written[g]!,
      place: g,
      from: mean[g]!,
      to: x[g]!,
      ...(constant ? { reason: "constant over the training spots: there is no deviation to raise it by" } : {}),
    };
  });
  return { x, raised };
}

function unknownGene(gene: string, vocabulary: Pick<Vocabulary, "genes" | "written">): ConfigError {
  const genes = writtenGenes(vocabulary);
  const found = nearest(gene, vocabulary.genes);
  const near = found && genes[vocabulary.genes.indexOf(found)];
  return new ConfigError(`Cannot query ${gene}: the model knows ${genes.length} genes, not this one`, {
    hint: near === undefined
      ? `Name some of its own (genes.json beside the checkpoint lists them), or train with --genes-include ${gene}`
      : `Did you mean ${near}? Else train with --genes-include ${gene}`,
    context: { gene, ...(near === undefined ? {} : { nearest: near }) },
  });
}

function percentileOf(values: ArrayLike<number>, percent: number, gene: string): number {
  if (!values.length) throw new ConfigError(`Cannot set ${gene} to a percentile: there are no spots`);
  return percentile(values, percent);
}

/** Rows by cosine to a query. */
export interface RankedRows {
  /** Best first; equal scores by lower row. Rows without a direction are left out. */
  readonly rows: Uint32Array;
  /** Cosines in that order. */
  readonly scores: Float64Array;
  /** Why nothing is ranked. */
  readonly reason?: string;
}

/**
 * Ranks rows by cosine to one query, f64.
 *
 * @param rows `[n, width]`.
 */
export function rankRows(query: Float32Array, rows: Float32Array, width: number = query.length): RankedRows {
  const length = Math.hypot(...query);
  if (!(length > 0 && length < Infinity)) {
    const reason = "the query's embedding has length zero or is not finite";
    return { rows: new Uint32Array(), scores: new Float64Array(), reason };
  }
  const score = Float64Array.from({ length: rows.length / width }, (_, i) => {
    let [dot, square] = [0, 0];
    for (let e = 0; e < width; e++) {
      const value = rows[i * width + e]!;
      dot += value * query[e]!;
      square += value * value;
    }
    return dot / (Math.sqrt(square) * length);
  });
  const order = Uint32Array.from(score.keys()).filter((i) => Number.isFinite(score[i]));
  order.sort((a, b) => score[b]! - score[a]! || a - b);
  return { rows: order, scores: Float64Array.from(order, (i) => score[i]!) };
}
