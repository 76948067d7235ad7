/**
 * How a configuration chooses and reads pairs of patch and expression, for the methods that train on them.
 *
 * @module
 */

import type { ValuesOf } from "../core/config_key.ts";
import { DataError } from "../core/errors.ts";
import type { SampleFiles } from "../data/data_folder.ts";
import { readBytes } from "../io/disk.ts";
import { parseVocabulary } from "../data/genes/vocabulary.ts";
import type { HoldOuts } from "../data/holdout.ts";
import type { LoadOptions } from "../data/load_sample.ts";
import type { GeneChoice, TrainingSetOptions } from "../data/open_training_set.ts";
import { decodeText, parseNames } from "../io/csv.ts";
import type { GENES_KEYS } from "./config/genes_keys.ts";
import type { INPUT_KEYS, SPLIT_KEYS } from "./config/keys.ts";
import type { Host } from "./host.ts";

/** What is read of a configuration. */
export interface PairConfig {
  readonly input: Pick<
    ValuesOf<typeof INPUT_KEYS>,
    | "data"
    | "samples"
    | "exclude_samples"
    | "technologies"
    | "species"
    | "organs"
    | "counts"
    | "drop_bad_spots"
    | "drop_unknown_patches"
    | "self_test"
    | "allow_coarse"
    | "allow_denied"
    | "least_coverage"
  >;
  readonly split: Pick<
    ValuesOf<typeof SPLIT_KEYS>,
    "holdout_donors" | "holdout_samples" | "holdout_fraction"
  >;
  readonly genes:
    & Pick<
      ValuesOf<typeof GENES_KEYS>,
      "n_train_genes" | "genes_include" | "gene_list" | "gene_criterion" | "gene_norm"
    >
    & Partial<Pick<ValuesOf<typeof GENES_KEYS>, "spot_context" | "smoothing">>;
  readonly optim: { readonly seed: number };
}

/** Where counts are, and what lets samples through that are refused otherwise, beside what a configuration says. */
export type Lenience = Pick<LoadOptions, "counts" | "dropBadSpots" | "dropUnknownPatches">;

/** How the data of a run are chosen and read. */
export type RunDataOptions = Pick<
  TrainingSetOptions,
  "folders" | "samples" | "select" | "holdOut" | "layer" | "load" | "allowDenied" | "leastCoverage"
>;

/** Which samples a configuration wants, by their metadata; undefined when all. */
function wanted({ input }: PairConfig): ((sample: SampleFiles) => boolean) | undefined {
  const { exclude_samples, technologies, species, organs } = input;
  if (!exclude_samples.length && !technologies && !species && !organs) return undefined;
  const among = (list: readonly string[] | null, text: string | undefined) =>
    list === null || (text !== undefined && list.some((name) => name.toLowerCase() === text.toLowerCase()));
  return ({ id, metadata }) =>
    !exclude_samples.includes(id) && among(technologies, metadata?.text("st_technology")) &&
    among(species, metadata?.text("species")) && among(organs, metadata?.text("organ"));
}

/** What a configuration holds out. */
function heldOut({ split, optim }: PairConfig): HoldOuts {
  const { holdout_donors: donors, holdout_samples: samples, holdout_fraction: share } = split;
  const named = donors.length > 0 || samples.length > 0;
  return { test: named ? { donors, samples } : share > 0 ? { share } : {}, seed: optim.seed };
}

/** The file with genes: a vocabulary of a run, or names line by line. */
export function genesOf({ genes }: PairConfig, { disk, checkFile }: Pick<Host, "disk" | "checkFile">): GeneChoice {
  if (genes.gene_list === null) {
    const include = genes.genes_include.map((name) => name.toUpperCase());
    return { criterion: genes.gene_criterion, size: genes.n_train_genes, include };
  }
  checkFile(genes.gene_list);
  const bytes = readBytes(disk, genes.gene_list);
  if (genes.gene_list.endsWith(".json")) return { vocabulary: parseVocabulary(bytes, genes.gene_list) };
  const names = parseNames(decodeText(bytes, genes.gene_list), genes.gene_list).map((name) => name.toUpperCase());
  if (names.length === 0) throw new DataError(`Cannot use ${genes.gene_list}: it names no gene`);
  return { genes: names };
}

/** How samples are read by a configuration, and by what is said besides. */
function loadOptions({ input, genes }: PairConfig, more: Lenience = {}): LoadOptions {
  return {
    geneNorm: genes.gene_norm,
    ...(genes.smoothing === "hex6" && { neighbourhood: "hex6" as const }),
    counts: more.counts ?? input.counts,
    dropBadSpots: input.drop_bad_spots || more.dropBadSpots === true,
    dropUnknownPatches: input.drop_unknown_patches || more.dropUnknownPatches === true,
    selfTest: input.self_test,
    allowCoarse: input.allow_coarse,
  };
}

/** How the data of a configuration are chosen and read, whatever their genes. */
export function readOptions(config: PairConfig, more: Lenience = {}): RunDataOptions {
  const { input, genes } = config;
  const select = wanted(config);
  return {
    folders: input.data,
    samples: input.samples ?? undefined,
    ...(select && { select }),
    holdOut: heldOut(config),
    layer: genes.spot_context ? "context" : "own",
    load: loadOptions(config, more),
    allowDenied: input.allow_denied,
    leastCoverage: input.least_coverage,
  };
}
