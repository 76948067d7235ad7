/**
 * The data of a run: samples, what is held out, genes, expression and patches.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { readBytes, type SampleFiles } from "../../data/data_folder.ts";
import type { HoldOuts } from "../../data/holdout.ts";
import type { LoadOptions } from "../../data/load_sample.ts";
import { type GeneChoice, openTrainingSet, type TrainingSetOptions } from "../../data/open_training_set.ts";
import { isNote } from "../../data/sample_checks.ts";
import type { TrainingSet } from "../../data/training_set.ts";
import { parseVocabulary } from "../../data/genes/vocabulary.ts";
import { decodeText, parseNames } from "../../io/csv.ts";
import type { Lenience, RunDataOptions } from "../method.ts";
import type { SealConfig } from "./config.ts";
import type { Host } from "../../train/host.ts";
import { wantedPanel } from "../../evidence/panel.ts";

/** Which samples a configuration wants, by their metadata; undefined when all. */
function wanted({ input }: SealConfig): ((sample: SampleFiles) => boolean) | undefined {
  const { exclude_samples, technologies, species, organs } = input;
  if (!exclude_samples.length && !technologies && !species && !organs) return undefined;
  const among = (list: readonly string[] | null, text: string | undefined) =>
    list === null || (text !== undefined && list.some((name) => name.toLowerCase() === text.toLowerCase()));
  return ({ id, metadata }) =>
    !exclude_samples.includes(id) && among(technologies, metadata?.text("st_technology")) &&
    among(species, metadata?.text("species")) && among(organs, metadata?.text("organ"));
}

/** What a configuration holds out. */
function heldOut({ split, optim }: SealConfig): HoldOuts {
  const { holdout_donors: donors, holdout_samples: samples, holdout_fraction: share } = split;
  const named = donors.length > 0 || samples.length > 0;
  return { test: named ? { donors, samples } : share > 0 ? { share } : {}, seed: optim.seed };
}

/** The file with genes: a vocabulary of a run, or names line by line. */
function genesOf({ genes }: SealConfig, { disk, checkFile }: Pick<Host, "disk" | "checkFile">): GeneChoice {
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

/** How the data of a configuration are chosen and read, whatever their genes. */
export function readOptions(config: SealConfig, more: Lenience = {}): RunDataOptions {
  const { input, genes } = config;
  return {
    folders: input.data,
    samples: input.samples ?? undefined,
    ...(wanted(config) && { select: wanted(config)! }),
    holdOut: heldOut(config),
    layer: genes.spot_context ? "context" : "own",
    load: loadOptions(config, more),
    allowDenied: input.allow_denied,
    leastCoverage: input.least_coverage,
  };
}

/** How the data of a configuration are opened for training. */
export function dataOptions(config: SealConfig, host: Pick<Host, "disk" | "checkFile">): TrainingSetOptions {
  return {
    ...readOptions(config),
    genes: genesOf(config, host),
    panel: wantedPanel(config, host.disk),
    // Samples named by hand may be of a donor that trains too, as serial sections are; the report says so.
    allowLeakage: config.split.holdout_samples.length > 0,
  };
}

/** Opens the data. */
export async function openData(config: SealConfig, host: Host): Promise<TrainingSet> {
  const { disk, reporter, signal } = host;
  const set = await openTrainingSet(disk, {
    ...dataOptions(config, host),
    signal,
    onSample: (done, total, id) => reporter.update(`read ${id}`, done, total, "slides"),
  });
  for (const line of set.warnings) isNote(line) ? reporter.say(line) : reporter.warn(line);
  return set;
}

/** How samples are read by a configuration, and by what is said besides. */
function loadOptions({ input, genes }: SealConfig, more: Lenience = {}): LoadOptions {
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
