/**
 * `retrieve`: finds patches by expression, expression by patches, and patches by a set of genes, with a trained run.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import { fixed, rankText } from "../core/fixed.ts";
import { PatchReader } from "../data/patch_reader.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { geneProfile, parseRaises } from "../eval/gene_query.ts";
import { embedPairs } from "../eval/inference.ts";
import { type ByK, type PoolMetrics, RECALL_AT, type RetrievalReport } from "../eval/retrieval.ts";
import { disk } from "../io/fs.ts";
import { encodePng } from "../io/png_write.ts";
import { galleryPage, galleryPicture, type GallerySection } from "../report/retrieval_gallery.ts";
import type { Args, Flags } from "./args.ts";
import { EXPRESSION_FLAGS, expressionOptions } from "./expression_flags.ts";
import { hostOf } from "../run/host.ts";
import { openGpu } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { checkFolder } from "../io/output.ts";
import { OutputFolder } from "../run/output_folder.ts";
import { Progress } from "./progress.ts";
import { writeEmbeddings } from "../run/retrieve_embeddings.ts";
import { type KindReport, type TrainedOn, trainedOn } from "../run/retrieve_donors.ts";
import { type GeneQuery, retrieveResult } from "../run/retrieve_result.ts";
import { runFacts } from "../run/facts.ts";
import { type KnownRun, lookAtRun, type OpenedRun, openRun } from "../run/open.ts";
import { encodersOf, RUN_FLAGS } from "./run_flags.ts";
import { namesOf, openRunData, organOf, samplesOf } from "../run/data.ts";
import { alignRows, count } from "../core/text_table.ts";
import { printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "retrieve";
/** What it does. */
export const summary = "gene to image, image to gene, gene-set query: ranks, recall@k, gallery picture";
/** An example. */
export const example = "retrieve --run runs/conch --data data/hest --genes EPCAM+3,KRT8 --out retrieval";

/** Flags of the command. */
export const flags = {
  ...RUN_FLAGS,
  ...EXPRESSION_FLAGS,
  genes: { kind: "list", value: "NAMES", help: "gene-set query: EPCAM,KRT8+3,CD3E-1,ESR1@p95 raises by deviations" },
  at: { kind: "text", value: "K,K,…", default: RECALL_AT.join(","), help: "recall at these" },
  shown: { kind: "number", value: "K", default: 8, min: 1, max: 50, integer: true, help: "patches shown a query" },
  queries: { kind: "number", value: "N", default: 8, min: 0, max: 100, integer: true, help: "queries shown each way" },
  pool: { kind: "choice", of: ["all", "slide"], default: "all", help: "what shown queries search" },
  gallery: { kind: "choice", of: ["f32", "f16"], default: "f32", help: "storage of large galleries on the device" },
  embeddings: {
    kind: "switch",
    help: "also embeddings/image and embeddings/gene, NAME.h5 each, as embed writes features",
  },
  out: {
    kind: "text",
    value: "DIR",
    default: "retrieval",
    help: "folder of retrieval.json, gallery.png, gallery.html",
  },
} as const satisfies Flags;

type Values = Args<typeof flags>["flags"];

/** Exit status when some values are undefined. */
const INCOMPLETE = 3;
const RESULT = "retrieval.json";
const FILES = ["gallery.png", "gallery.html", "embeddings"] as const;

function valuesOfK(text: string): number[] {
  const ks = text.split(",").map((part) => Number(part.trim()));
  if (ks.every((k) => Number.isInteger(k) && k > 0)) return [...new Set(ks)].sort((a, b) => a - b);
  throw new ConfigError(`Cannot read --at ${text}: wanted positive whole numbers, as in 1,5,10`);
}

/** Encoders that are opened. */
export const encoders = encodersOf;

/** What is asked for, as far as it is known without a device. */
interface Request {
  readonly values: Values;
  readonly ks: readonly number[];
  readonly samples: readonly string[] | undefined;
  readonly known: KnownRun;
  readonly trained: TrainedOn;
  readonly facts: Facts;
}

/** Refuses whatever can be refused before the device is opened and anything is embedded. */
async function requestOf(values: Values, progress: Progress): Promise<Request> {
  const ks = valuesOfK(values.at);
  const { run, checkpoint, encoder } = values;
  if (run === undefined) {
    throw new ConfigError("Cannot retrieve: no --run is given", { hint: "Give the folder that train wrote" });
  }
  checkFolder(values.out);
  const known = await lookAtRun({ run, checkpoint: checkpoint as "best" | "last", encoder });
  // Percentiles are of the spots, which are not read yet.
  for (const text of values.genes) geneProfile(known.vocabulary, parseRaises(text, known.vocabulary.genes), () => [0]);
  const samples = namesOf(values.samples);
  const files = await samplesOf(run, known.data(), { folders: values.data, samples });
  if (known.organs) files.forEach((file) => organOf(file, values.organ));
  progress.say(`${count(files.length, "sample")}: ${files.map(({ id }) => id).join(", ")}`);
  const trained = trainedOn(run, known.vocabulary);
  return { values, ks, samples, known, trained, facts: await runFacts(known, files, values) };
}

/** Runs the command. */
export async function run({ flags: values }: Args<typeof flags>, { signal }: Job): Promise<number> {
  const progress = new Progress(values.quiet);
  const request = await requestOf(values, progress);
  using folder = OutputFolder.open({
    out: values.out,
    command: name,
    result: RESULT,
    names: FILES,
    facts: request.facts,
    overwrite: values.overwrite,
  });
  if (folder.finished) {
    progress.say(`${values.out}/${RESULT}: is there`);
    if (values.json) printJson(folder.finished.json);
    return folder.finished.status;
  }
  const gpu = await openGpu(values.software);
  try {
    const opened = await openRun(gpu, {
      run: values.run!,
      checkpoint: values.checkpoint as "best" | "last",
      encoder: values.encoder,
      precision: values.precision as "f32" | "f16" | undefined,
      batchSize: values["batch-size"] ?? (gpu.caps.software ? 8 : 64),
      host: hostOf(progress),
    }, request.known);
    try {
      return await answer(gpu, opened, request, folder, progress, signal);
    } finally {
      await opened.close();
    }
  } finally {
    gpu.destroy();
  }
}

async function answer(
  gpu: Awaited<ReturnType<typeof openGpu>>,
  opened: OpenedRun,
  { values, ks, samples, known, trained, facts }: Request,
  folder: OutputFolder,
  progress: Progress,
  signal: AbortSignal,
): Promise<number> {
  const set = await openRunData(
    opened,
    { folders: values.data, samples, expression: expressionOptions(values) },
    progress,
    signal,
  );
  const reader = new PatchReader(disk, set.patchTable());
  try {
    const embedded = await embedPairs(opened.model, set, reader, {
      batchSize: opened.batchSize,
      signal,
      ...(opened.organs && { organ: organsOf(set, values.organ) }),
      onRows: (done, total) => progress.update("embed", done, total, "tiles"),
    });
    const { report, kinds, json, sections, genes } = await retrieveResult(opened.model, set, reader, embedded, {
      gpu,
      ks,
      shown: values.shown,
      queries: values.queries,
      pool: values.pool as "all" | "slide",
      genes: values.genes,
      trained,
      storage: values.gallery as "f32" | "f16",
    });
    const result = { ...opened.origin, checked: known.checked, ...json, warnings: set.warnings };
    const { imageToGene, geneToImage } = report.across;
    const status = imageToGene.mrr === null || geneToImage.mrr === null ? INCOMPLETE : 0;
    folder.begin();
    writeGallery(folder.path, sections, `Retrieval, ${opened.origin.encoder}`);
    if (values.embeddings) await writeEmbeddings(folder.path, set, embedded, { ...opened.origin, ...pick(facts) });
    const written = folder.finish(result, status);
    for (const line of [...lines(report), ...kindLines(kinds), ...genes.flatMap(geneLines)]) progress.say(line);
    progress.say(`${folder.path}: ${RESULT}, gallery.png, gallery.html${values.embeddings ? ", embeddings" : ""}`);
    if (values.json) printJson(written);
    return status;
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
  disk.write(`${out}/gallery.png`, encodePng(galleryPicture(sections)));
  disk.write(
    `${out}/gallery.html`,
    galleryPage(title, [
      "Thick green frames: the query's own. Thin orange frames: others.",
      "Unseen donors are those that training never saw; only they speak for new patients.",
    ], sections),
  );
}

/** Sections of donors seen and unseen, each kind by itself where there are several. */
export function kindLines(kinds: readonly KindReport[]): string[] {
  return kinds.flatMap(({ kind, samples, report }) => [
    `${kind} donors: ${count(samples.length, "section")} (${samples.slice(0, 10).join(", ")}${
      samples.length > 10 ? ", …" : ""
    })`,
    ...(kinds.length > 1 ? lines(report).map((line) => `  ${line}`) : []),
  ]);
}

/** What a gene-set query asked for, gene by gene, and what it found; log-normalised expression, as the model sees it. */
export function geneLines({ query, raised, found, reason }: GeneQuery): string[] {
  const cell = (value: number | null) => value === null ? "-" : fixed(value, 2);
  const [first] = found;
  return [
    `genes ${query}: ${
      first === undefined
        ? `nothing found, ${reason ?? "no patch has a direction"}`
        : `${first.sample} ${first.barcode} first, cosine ${fixed(first.score, 3)}`
    }`,
    ...alignRows([
      ["  gene", "training mean", "asked for", "in the first", `mean of ${found.length} found`, "mean of all"],
      ...raised.map((one) => [
        `  ${one.gene}`,
        cell(one.training_mean),
        cell(one.asked),
        cell(one.measured_in_first),
        cell(one.measured_in_found),
        `${cell(one.measured_in_all)}${one.reason === undefined ? "" : ` (${one.reason})`}`,
      ]),
    ]),
  ];
}

/** The table on stderr. */
export function lines({ ks, across, within }: RetrievalReport): string[] {
  const cell = (value: number | null, text = (of: number) => fixed(of, 3)) => (value === null ? "-" : text(value));
  const recall = (values: ByK) => ks.map((k) => cell(values[k]!));
  const pool = (what: string, { pairs, chance, imageToGene, geneToImage }: PoolMetrics, slides: string) =>
    ([["gene to image", geneToImage], ["image to gene", imageToGene]] as const).flatMap(([way, of]) => [
      [
        `${what}, ${way}`,
        ...recall(of.recall),
        cell(of.medianRank, rankText),
        cell(of.mrr),
        String(of.tied),
        `${pairs}${slides}`,
      ],
      ...(of.reason ? [[`  ${of.reason}`]] : []),
    ]).concat([[`${what}, chance`, ...recall(chance)]]);
  return alignRows([
    ["pool", ...ks.map((k) => `R@${k}`), "median rank", "mrr", "ties", "pairs"],
    ...(within ? pool("within slides", within.mean, ` in ${within.slides}`) : []),
    ...pool("across", across, ""),
  ]);
}
