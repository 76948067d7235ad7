/**
 * Retrieval with a trained run: patches by expression, expression by patches, and patches by a set of genes.
 *
 * @module
 */

import { INCOMPLETE } from "../core/exit_status.ts";
import type { Facts } from "../core/facts.ts";
import type { Reporter } from "../core/reporter.ts";
import { count } from "../core/text_table.ts";
import { readGeneSets } from "../data/cohort/gene_sets.ts";
import { PatchReader } from "../data/patch_reader.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { geneProfile, parseRaises, setQueries, type SetQuery } from "../eval/gene_query.ts";
import { embedPairs } from "../eval/inference.ts";
import type { RetrievalReport } from "../eval/retrieval.ts";
import type { Gpu } from "../gpu/device.ts";
import { disk, readText } from "../io/fs.ts";
import { checkFolder } from "../io/output.ts";
import { encodePng } from "../io/image/png_write.ts";
import type { Lenience } from "../train/pair_data.ts";
import { galleryImage, galleryPage, type GallerySection } from "../report/retrieval_gallery.ts";
import type { Host } from "../train/host.ts";
import type { CheckpointName } from "../train/run.ts";
import { contentHash } from "./content_hash.ts";
import { openRunData, organOf, samplesOf } from "./data.ts";
import { runFacts } from "./facts.ts";
import type { HostMachine } from "./machine.ts";
import { type KnownRun, lookAtRun, type OpenedRun, openRun } from "./open.ts";
import { OutputFolder } from "./output_folder.ts";
import { type KindReport, type TrainedOn, trainedOn } from "./retrieve_donors.ts";
import { writeEmbeddings } from "./retrieve_embeddings.ts";
import { type GeneQuery, retrieveResult } from "./retrieve_result.ts";

/** Name of the result in the output folder. */
const RESULT = "retrieval.json";
const FILES = ["gallery.png", "gallery.html", "embeddings"] as const;

/** What is searched, by what and how. */
export interface RetrieveOptions {
  /** Folder of the run. */
  readonly run: string;
  readonly checkpoint: CheckpointName;
  /** Where the encoder's weights are now, if elsewhere than at training. */
  readonly encoder?: string | undefined;
  readonly precision?: "f32" | "f16" | undefined;
  /** Patches a batch; 64, on software 8. */
  readonly batchSize?: number | undefined;
  /** Data folders in HEST's layout; the run's own, of which those it held out, where there are none. */
  readonly data: readonly string[];
  /** Only these samples. */
  readonly samples?: readonly string[] | undefined;
  /** Where counts are, and what is let pass. */
  readonly expression: Lenience;
  /** Organ of all samples, for models with an organ token. */
  readonly organ?: string | undefined;
  /** Gene-set queries, as `EPCAM,KRT8+3`. */
  readonly genes: readonly string[];
  /** File of gene sets in GMT, each a query. */
  readonly geneSets?: string | undefined;
  /** Recall at these, rising. */
  readonly ks: readonly number[];
  /** Patches shown a query, and queries shown each way. */
  readonly shown: number;
  readonly queries: number;
  /** What shown queries search. */
  readonly pool: "all" | "slide";
  /** Storage of large galleries on the device. */
  readonly storage: "f32" | "f16";
  /** Whether embeddings are written too. */
  readonly embeddings: boolean;
  /** Folder of the output. */
  readonly out: string;
  readonly overwrite: boolean;
  /** Settings as the output keeps them. */
  readonly settings: Facts;
}

/** What was found. */
export interface Retrieved {
  /** What `retrieval.json` holds. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Exit status: 3 where some values are undefined. */
  readonly status: number;
  /** The folder. */
  readonly path: string;
  /** What is printed of it; missing where it was done before. */
  readonly found?: {
    readonly report: RetrievalReport;
    readonly kinds: readonly KindReport[];
    readonly genes: readonly GeneQuery[];
  };
}

/** What is asked for, as far as it is known without a device. */
interface Request {
  readonly values: RetrieveOptions;
  readonly known: KnownRun;
  readonly trained: TrainedOn;
  readonly facts: Facts;
  readonly sets: readonly SetQuery[];
}

/** Refuses whatever can be refused before the device is opened and anything is embedded. */
async function requestOf(values: RetrieveOptions, { reporter }: Host): Promise<Request> {
  const { run, checkpoint, encoder, samples, data: folders, settings } = values;
  checkFolder(values.out);
  const known = await lookAtRun({ run, checkpoint, encoder });
  // Percentiles are of the spots, which are not read yet.
  for (const text of values.genes) geneProfile(known.vocabulary, parseRaises(text, known.vocabulary.genes), () => [0]);
  const sets = setsOf(values.geneSets, known.vocabulary.genes, reporter);
  const files = await samplesOf(run, known.data(), { folders, samples });
  if (known.organs) files.forEach((file) => organOf(file, values.organ));
  reporter.say(`${count(files.length, "sample")}: ${files.map(({ id }) => id).join(", ")}`);
  const trained = trainedOn(run, known.vocabulary);
  const facts = await runFacts(known, files, { run, settings });
  if (values.geneSets === undefined) return { values, known, trained, sets, facts };
  return { values, known, trained, sets, facts: { ...facts, gene_sets_sha256: await contentHash([values.geneSets]) } };
}

/** Queries of the file's gene sets; those of which the model knows no gene are told. */
function setsOf(file: string | undefined, genes: readonly string[], reporter: Reporter): readonly SetQuery[] {
  if (file === undefined) return [];
  const { queries, without } = setQueries(readGeneSets(readText(file), file), genes, file);
  if (without.length > 0) {
    const more = without.length > 3 ? ", …" : "";
    reporter.warn(
      `${count(without.length, "gene set")} of no gene the model knows: ${without.slice(0, 3).join(", ")}${more}`,
    );
  }
  return queries;
}

/**
 * Retrieves, or finds that it was done.
 *
 * @throws {ConfigError | DataError | WeightsError} If run, data or output cannot be used.
 */
export async function retrieve(values: RetrieveOptions, machine: HostMachine): Promise<Retrieved> {
  const { host } = machine;
  const request = await requestOf(values, host);
  using folder = OutputFolder.open({
    out: values.out,
    command: "retrieve",
    result: RESULT,
    names: FILES,
    facts: request.facts,
    overwrite: values.overwrite,
  });
  if (folder.finished) {
    host.reporter.say(`${values.out}/${RESULT}: is there`);
    return { ...folder.finished, path: values.out };
  }
  const gpu = await machine.openGpu();
  try {
    const { run, checkpoint, encoder, precision, batchSize = gpu.caps.software ? 8 : 64 } = values;
    const opened = await openRun(gpu, { run, checkpoint, encoder, precision, batchSize, host }, request.known);
    try {
      return await answer(gpu, opened, request, folder, host);
    } finally {
      await opened.close();
    }
  } finally {
    gpu.destroy();
  }
}

async function answer(
  gpu: Gpu,
  opened: OpenedRun,
  { values, known, trained, sets, facts }: Request,
  folder: OutputFolder,
  { reporter, signal }: Host,
): Promise<Retrieved> {
  const { data: folders, samples, expression, ks, shown, queries, pool, storage } = values;
  const set = await openRunData(opened, { folders, samples, expression }, reporter, signal);
  const reader = new PatchReader(disk, set.patchTable());
  try {
    const embedded = await embedPairs(opened.model, set, reader, {
      batchSize: opened.batchSize,
      ...(signal && { signal }),
      ...(opened.organs && { organ: organsOf(set, values.organ) }),
      onRows: (done, total) => reporter.update("embed", done, total, "tiles"),
    });
    const asked = { gpu, ks, shown, queries, pool, genes: values.genes, sets, trained, storage };
    const { report, kinds, json, sections, genes } = await retrieveResult(opened.model, set, reader, embedded, asked);
    const result = { ...opened.origin, checked: known.checked, ...json, warnings: set.warnings };
    const { imageToGene, geneToImage } = report.across;
    const status = imageToGene.mrr === null || geneToImage.mrr === null ? INCOMPLETE : 0;
    folder.begin();
    writeGallery(folder.path, sections, `Retrieval, ${opened.origin.encoder}`);
    if (values.embeddings) await writeEmbeddings(folder.path, set, embedded, { ...opened.origin, ...pick(facts) });
    return { json: folder.finish(result, status), status, path: folder.path, found: { report, kinds, genes } };
  } finally {
    reader.close();
  }
}

/** Organ of each pair, by its sample. */
function organsOf(set: TrainingSet, given: string | undefined): (pair: number) => number {
  const organs = set.samples.map(({ files }) => organOf(files, given));
  return (pair) => organs[set.locate(pair).sample]!;
}

/** What an embedding's file says of its inputs. */
function pick({ run_sha256, data_sha256 }: Facts): Record<string, string> {
  return { run_sha256: String(run_sha256), data_sha256: String(data_sha256) };
}

function writeGallery(out: string, sections: readonly GallerySection[], title: string): void {
  disk.write(`${out}/gallery.png`, encodePng(galleryImage(sections)));
  disk.write(
    `${out}/gallery.html`,
    galleryPage(title, [
      "Thick green frames: the query's own. Thin orange frames: others.",
      "Unseen donors are those that training never saw; only they speak for new patients.",
    ], sections),
  );
}
