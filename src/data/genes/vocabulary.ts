/**
 * The genes a model knows, in order, with their training statistics: chosen once on the training samples, saved beside the
 * weights as `genes.json`, and applied to every sample.
 *
 * The reference chooses and orders genes for each sample anew, so that one input column is another gene on every slide.
 * Here genes are ranked over samples: by the number of samples among whose best they are, then by their mean rank there,
 * then by name.
 *
 * @module
 */

import { ConfigError, DataError, FormatError } from "../../core/errors.ts";
import { parseJson } from "../../io/json.ts";
import type { Expression } from "../counts.ts";
import { digestText, hexOf } from "../digest.ts";
import { gatherColumns } from "../matrix.ts";
import { columnMoments } from "./moments.ts";
import { type GeneCriterion, type Preprocessed, rankGenes } from "./preprocess.ts";

/** Marks the file. */
const FORMAT = "seal-webgpu genes";
/** Share of the vocabulary below which a sample deserves a warning. */
const ENOUGH = 0.8;
/** Smallest deviation a loss divides by, so that a constant gene does not outweigh all others. */
export const LEAST_STD = 1e-3;

/** The layer of a sample: the spots' own expression, or with their neighbourhood's. */
export type Layer = "own" | "context";

/** How a vocabulary was made. */
export interface VocabularyOrigin {
  readonly criterion: GeneCriterion;
  /** Layer of the statistics. */
  readonly layer: Layer;
  readonly geneNorm: "log_norm" | "none";
  /** Best genes of each sample that counted. */
  readonly perSample: number;
  /** Names of the training samples. */
  readonly samples: readonly string[];
}

/** Ordered genes with statistics over the training spots, each `[genes]`. */
export interface Vocabulary {
  readonly genes: readonly string[];
  /** The same as the data write them, where that differs: `C1orf53` of `C1ORF53`. */
  readonly written?: readonly string[];
  /** Mean over the spots of samples that measured the gene. */
  readonly mean: Float64Array;
  /** Sample standard deviation (ddof 1) over the same spots; 0 for a constant gene. */
  readonly std: Float64Array;
  /** Spots behind the statistics. */
  readonly spots: Uint32Array;
  /** Samples among whose best the gene was. */
  readonly chosen: Uint32Array;
  readonly origin: VocabularyOrigin;
}

/** Options of a builder. */
export interface VocabularyOptions {
  readonly criterion?: GeneCriterion;
  readonly layer?: Layer;
  /** Best genes of each sample that count; 2000 by default, as many as the vocabulary has. */
  readonly perSample?: number;
}

/** Running figures of one gene. */
interface Running {
  spots: number;
  mean: number;
  squares: number;
  chosen: number;
  ranks: number;
}

/** Adds the moments of `spots` more spots (Chan et al., 1979). */
function merge(gene: Running, spots: number, mean: number, variance: number): void {
  const all = gene.spots + spots;
  const away = mean - gene.mean;
  gene.squares += (spots > 1 ? variance * (spots - 1) : 0) + away * away * gene.spots * spots / all;
  gene.mean += away * spots / all;
  gene.spots = all;
}

/** Takes training samples one after another, keeping none. */
export class VocabularyBuilder {
  readonly #genes = new Map<string, Running>();
  readonly #samples: string[] = [];
  readonly #written = new Map<string, string>();
  readonly #criterion: GeneCriterion;
  readonly #layer: Layer;
  readonly #perSample: number;
  #geneNorm: Preprocessed["geneNorm"] | undefined;

  /** Starts without samples. */
  constructor(options: VocabularyOptions = {}) {
    this.#criterion = options.criterion ?? "hvg";
    this.#layer = options.layer ?? "own";
    this.#perSample = options.perSample ?? 2000;
  }

  /**
   * Adds a training sample.
   *
   * @throws {ConfigError} If it was normalised otherwise than those before.
   */
  add(sample: Preprocessed): void {
    this.#geneNorm ??= sample.geneNorm;
    if (sample.geneNorm !== this.#geneNorm) {
      throw new ConfigError(
        `Cannot add ${sample.own.sample} to the vocabulary: geneNorm ${sample.geneNorm}, ${this.#geneNorm} as before wanted`,
      );
    }
    this.#samples.push(sample.own.sample);
    const { genes, matrix, written = [] } = sample[this.#layer];
    for (const [name, own] of written) if (!this.#written.has(name)) this.#written.set(name, own);
    const { mean, variance } = columnMoments(matrix);
    genes.forEach((name, j) => merge(this.#gene(name), matrix.rows, mean[j]!, variance[j]!));
    // Measured, but dropped: the model reads zeros there.
    for (const name of sample.report.rareGenes) merge(this.#gene(name), matrix.rows, 0, 0);
    rankGenes(sample, this.#criterion, this.#perSample).forEach((name, rank) => {
      const gene = this.#gene(name);
      gene.chosen++;
      gene.ranks += rank;
    });
  }

  /** Names of all genes that any sample has. */
  get known(): ReadonlySet<string> {
    return new Set(this.#genes.keys());
  }

  /**
   * The vocabulary of the best genes.
   *
   * @param size Genes wanted; `all` for as many as were among the best of any sample.
   * @param include Genes that are in it whatever their rank, as far as any sample has them: they take the last places.
   * @throws {DataError} If the samples have fewer.
   */
  finish(size: number | "all" = this.#perSample, include: readonly string[] = []): Vocabulary {
    const found = [...this.#genes].filter(([, gene]) => gene.chosen > 0).sort(([a, p], [b, q]) =>
      q.chosen - p.chosen || p.ranks / p.chosen - q.ranks / q.chosen || (a < b ? -1 : 1)
    ).map(([name]) => name);
    const asked = new Set(include.filter((name) => this.#genes.has(name)));
    const best = found.filter((name) => !asked.has(name));
    const most = best.length + asked.size;
    const wanted = size === "all" ? Math.max(1, most) : size;
    if (most < wanted || wanted < 1) {
      throw new DataError(
        `Cannot make a vocabulary of ${wanted} genes: ${most} among the best of ${this.#samples.length} samples`,
        { hint: `Ask for fewer: n_train_genes=${Math.max(1, most)}`, context: { found: most } },
      );
    }
    if (asked.size > wanted) {
      throw new DataError(
        `Cannot make a vocabulary of ${wanted} genes: ${asked.size} are asked for by name, at most ${wanted} wanted`,
        { hint: `Ask for more: n_train_genes=${asked.size}`, context: { found: asked.size } },
      );
    }
    const others = new Set(best.slice(0, wanted - asked.size));
    const ranked = found.filter((name) => asked.has(name) || others.has(name));
    return this.#vocabulary([...ranked, ...[...asked].filter((name) => this.#gene(name).chosen === 0)]);
  }

  /**
   * The vocabulary of given genes, with the statistics of the samples.
   *
   * @throws {DataError} If no sample has one of them, or one is given twice.
   */
  take(genes: readonly string[]): Vocabulary {
    const missing = genes.filter((name) => !this.#genes.has(name));
    if (missing.length > 0 || genes.length === 0 || new Set(genes).size < genes.length) {
      const found = missing.length > 0
        ? `${missing.length} of ${genes.length} (${missing.slice(0, 5).join(", ")}) are in no sample`
        : `${genes.length} names, ${new Set(genes).size} different`;
      throw new DataError(`Cannot make a vocabulary of the genes given: ${found}, measured ones, each once, wanted`, {
        code: "panel-genes",
        hint: `Names here are like ${[...this.#genes.keys()].slice(0, 3).join(", ")}`,
        context: { missing },
      });
    }
    return this.#vocabulary(genes);
  }

  #vocabulary(genes: readonly string[]): Vocabulary {
    const best = genes.map((name) => this.#gene(name));
    const written = genes.map((name) => this.#written.get(name) ?? name);
    return {
      genes: [...genes],
      ...(written.some((name, j) => name !== genes[j]) && { written }),
      mean: Float64Array.from(best, (gene) => gene.mean),
      std: Float64Array.from(best, (gene) => gene.spots > 1 ? Math.sqrt(gene.squares / (gene.spots - 1)) : 0),
      spots: Uint32Array.from(best, (gene) => gene.spots),
      chosen: Uint32Array.from(best, (gene) => gene.chosen),
      origin: {
        criterion: this.#criterion,
        layer: this.#layer,
        geneNorm: this.#geneNorm ?? "log_norm",
        perSample: this.#perSample,
        samples: [...this.#samples],
      },
    };
  }

  #gene(name: string): Running {
    let gene = this.#genes.get(name);
    if (gene === undefined) this.#genes.set(name, gene = { spots: 0, mean: 0, squares: 0, chosen: 0, ranks: 0 });
    return gene;
  }
}

/** Names of the genes as the data write them: for what people and other programs read. */
export function writtenGenes({ genes, written }: Pick<Vocabulary, "genes" | "written">): readonly string[] {
  return written ?? genes;
}

/** Digest of the names in order: two vocabularies with equal ones have the same columns. */
export function vocabularyHash(vocabulary: Vocabulary): string {
  return hexOf(digestText(vocabulary.genes.join("\n")));
}

/** What missing genes are filled with. */
export type Fill = "zero" | "mean";

/** Which of the vocabulary's genes a sample has. */
export interface Coverage {
  readonly sample: string;
  /** Genes the sample has a column for. */
  readonly present: number;
  /** Genes measured, but dropped for small totals; zero, whatever `fill` says. */
  readonly rare: readonly string[];
  /** Genes not measured, which got `fill`. */
  readonly missing: readonly string[];
  /** Share of the vocabulary that was measured, rare genes included. */
  readonly coverage: number;
  readonly fill: Fill;
  /** What to tell the user, when less than 80 % were measured. */
  readonly warning: string | undefined;
}

/** A sample in the columns of a vocabulary. */
export interface InVocabulary {
  readonly spots: readonly string[];
  /** `[spots, genes]`. */
  readonly data: Float32Array<ArrayBuffer>;
  readonly coverage: Coverage;
}

/**
 * Puts a sample into the columns of a vocabulary.
 *
 * @param layer What the model reads: `context` in the reference.
 * @throws {DataError} If it has none of the genes: other names, or another species.
 * @throws {ConfigError} If it was normalised otherwise than the training samples.
 */
export function applyVocabulary(
  vocabulary: Vocabulary,
  sample: Preprocessed,
  options: { readonly layer?: Layer; readonly fill?: Fill } = {},
): InVocabulary {
  const { layer = "context", fill = "zero" } = options;
  const table: Expression = sample[layer];
  if (sample.geneNorm !== vocabulary.origin.geneNorm) {
    throw new ConfigError(
      `Cannot read ${table.sample} with this vocabulary: geneNorm ${sample.geneNorm}, ${vocabulary.origin.geneNorm} wanted`,
    );
  }
  const place = new Map(table.genes.map((name, j) => [name, j]));
  const columns = Int32Array.from(vocabulary.genes, (name) => place.get(name) ?? -1);
  const coverage = coverageOf(vocabulary, sample, columns, fill);
  const data = gatherColumns(table.matrix, columns);
  if (fill === "mean") {
    const lost = new Set(coverage.missing);
    const at = vocabulary.genes.map((_, j) => j).filter((j) => lost.has(vocabulary.genes[j]!));
    for (let i = 0; i < table.spots.length; i++) {
      for (const j of at) data[i * columns.length + j] = vocabulary.mean[j]!;
    }
  }
  return { spots: table.spots, data, coverage };
}

function coverageOf(vocabulary: Vocabulary, sample: Preprocessed, columns: Int32Array, fill: Fill): Coverage {
  const dropped = new Set(sample.report.rareGenes);
  const without = vocabulary.genes.filter((_, j) => columns[j]! < 0);
  const rare = without.filter((name) => dropped.has(name));
  const missing = without.filter((name) => !dropped.has(name));
  const size = vocabulary.genes.length;
  const name = sample.own.sample;
  if (missing.length === size) {
    throw new DataError(`Cannot read ${name} with this vocabulary: none of its ${size} genes, some wanted`, {
      hint: `Names here are like ${sample.own.genes.slice(0, 3).join(", ")}, wanted like ${
        vocabulary.genes.slice(0, 3).join(", ")
      }`,
      context: { sample: name },
    });
  }
  const coverage = (size - missing.length) / size;
  const warning = coverage < ENOUGH
    ? `${name} has ${size - missing.length} of ${size} genes of the vocabulary (${
      (100 * coverage).toFixed(1)
    } %); the others ` +
      `are ${fill === "zero" ? "zero" : "the training mean"}`
    : undefined;
  return { sample: name, present: size - without.length, rare, missing, coverage, fill, warning };
}

/** Mean and deviation for a loss that standardises, `[genes]` in f32; deviations below `least` are `least`. */
export function lossStatistics(
  vocabulary: Vocabulary,
  least: number = LEAST_STD,
): { mean: Float32Array<ArrayBuffer>; std: Float32Array<ArrayBuffer> } {
  return {
    mean: Float32Array.from(vocabulary.mean),
    std: Float32Array.from(vocabulary.std, (s) => Math.max(s, least)),
  };
}

/** The text of `genes.json`. */
export function formatVocabulary(vocabulary: Vocabulary): string {
  const short = (values: Float64Array): number[] => Array.from(values, (value) => Number(value.toPrecision(9)));
  const { genes, spots, chosen, origin } = vocabulary;
  const fields = {
    format: FORMAT,
    version: 1,
    hash: vocabularyHash(vocabulary),
    origin,
    genes,
    ...(vocabulary.written && { written: vocabulary.written }),
    mean: short(vocabulary.mean),
    std: short(vocabulary.std),
    spots: [...spots],
    chosen: [...chosen],
  };
  const lines = Object.entries(fields).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{\n${lines.join(",\n")}\n}\n`;
}

/**
 * Reads `genes.json`.
 *
 * @param name Of the file, for messages.
 * @throws {FormatError} If it is none, or its parts disagree.
 */
export function parseVocabulary(bytes: Uint8Array, name: string): Vocabulary {
  const fail = (found: string, wanted: string): FormatError =>
    new FormatError(`Cannot read ${name}: ${found}, ${wanted} wanted`);
  const value = parseJson(bytes, (offset, found, expected) => fail(`byte ${offset} ${found}`, expected));
  const fields = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (fields["format"] !== FORMAT || fields["version"] !== 1) {
    throw fail(`format ${JSON.stringify(fields["format"])} ${JSON.stringify(fields["version"])}`, `${FORMAT} 1`);
  }
  const genes = fields["genes"];
  if (!Array.isArray(genes) || genes.length === 0 || !genes.every((gene) => typeof gene === "string" && gene !== "")) {
    throw fail("genes that are no list of names", "names");
  }
  if (new Set(genes).size !== genes.length) throw fail("a gene twice", "each once");
  const written = fields["written"];
  const fits = Array.isArray(written) && written.length === genes.length &&
    written.every((gene, j) => typeof gene === "string" && gene.toUpperCase() === String(genes[j]).toUpperCase());
  if (written !== undefined && !fits) throw fail("written that are not the names of the genes", "one a gene");
  const numbers = (key: string): number[] => {
    const list = fields[key];
    const right = Array.isArray(list) && list.length === genes.length && list.every((v) => Number.isFinite(v));
    if (!right) throw fail(`${key} that are not ${genes.length} numbers`, "one a gene");
    return list as number[];
  };
  const vocabulary = {
    genes: genes as string[],
    ...(written !== undefined && { written: written as string[] }),
    mean: Float64Array.from(numbers("mean")),
    std: Float64Array.from(numbers("std")),
    spots: Uint32Array.from(numbers("spots")),
    chosen: Uint32Array.from(numbers("chosen")),
    origin: parseOrigin(fields["origin"], fail),
  };
  const hash = vocabularyHash(vocabulary);
  if (fields["hash"] !== hash) throw fail(`hash ${String(fields["hash"])}`, `${hash} of its genes`);
  return vocabulary;
}

function parseOrigin(value: unknown, fail: (found: string, wanted: string) => FormatError): VocabularyOrigin {
  const origin = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const one = <T extends string>(key: string, ...allowed: T[]): T => {
    const given = origin[key];
    if (!allowed.includes(given as T)) throw fail(`origin.${key} ${JSON.stringify(given)}`, allowed.join(" or "));
    return given as T;
  };
  const samples = origin["samples"];
  if (!Array.isArray(samples) || !samples.every((sample) => typeof sample === "string")) {
    throw fail("origin.samples that are no names", "names");
  }
  return {
    criterion: one("criterion", "hvg", "heg"),
    layer: one("layer", "own", "context"),
    geneNorm: one("geneNorm", "log_norm", "none"),
    perSample: Number(origin["perSample"]),
    samples: samples as string[],
  };
}
