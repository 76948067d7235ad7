/**
 * `retrieve`: finds patches by expression, expression by patches, and patches by a set of genes, with a trained run.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { PatchReader } from "../data/patch_reader.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { embedPairs } from "../eval/inference.ts";
import { type ByK, type PoolMetrics, RECALL_AT, type RetrievalReport } from "../eval/retrieval.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { encodePng } from "../io/png_write.ts";
import { galleryPage, galleryPicture, type GallerySection } from "../report/retrieval_gallery.ts";
import type { Args, Flags } from "./args.ts";
import { EXPRESSION_FLAGS } from "./expression_flags.ts";
import { openGpu } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { checkFolder } from "./output.ts";
import { Progress } from "./progress.ts";
import { retrieveResult } from "./retrieve_result.ts";
import { encodersOf, type OpenedRun, openRun, openRunData, organOf, RUN_FLAGS } from "./seal_run.ts";
import { alignRows } from "./table.ts";
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
const FILES = ["retrieval.json", "gallery.png", "gallery.html"] as const;

function valuesOfK(text: string): number[] {
  const ks = text.split(",").map((part) => Number(part.trim()));
  if (ks.every((k) => Number.isInteger(k) && k > 0)) return [...new Set(ks)].sort((a, b) => a - b);
  throw new ConfigError(`Cannot read --at ${text}: wanted positive whole numbers, as in 1,5,10`);
}

/** Encoders that are opened. */
export const encoders = encodersOf;

/** Runs the command. */
export async function run({ flags: values }: Args<typeof flags>, { signal }: Job): Promise<number> {
  const ks = valuesOfK(values.at);
  if (values.run === undefined) {
    throw new ConfigError("Cannot retrieve: no --run is given", { hint: "Give the folder that train wrote" });
  }
  const made = FILES.filter((file) => disk.look(`${values.out}/${file}`) !== undefined);
  if (made.length && !values.overwrite) {
    throw new ConfigError(`Cannot write to ${values.out}: it holds ${made.join(", ")}`, {
      hint: "Pass --overwrite, or another --out",
    });
  }
  checkFolder(values.out);
  const progress = new Progress(values.quiet);
  const gpu = await openGpu(values.software);
  try {
    const opened = await openRun(gpu, {
      run: values.run,
      checkpoint: values.checkpoint as "best" | "last",
      encoder: values.encoder,
      precision: values.precision as "f32" | "f16" | undefined,
      batchSize: values["batch-size"] ?? (gpu.caps.software ? 8 : 64),
      progress,
    });
    try {
      return await answer(gpu, opened, values, ks, progress, signal);
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
  values: Values,
  ks: readonly number[],
  progress: Progress,
  signal: AbortSignal,
): Promise<number> {
  const samples = values.samples?.split(",").map((id) => id.trim()).filter(Boolean);
  const set = await openRunData(opened, { folders: values.data, samples, expression: values }, progress, signal);
  const reader = new PatchReader(disk, set.patchTable());
  try {
    const embedded = await embedPairs(opened.model, set, reader, {
      batchSize: opened.batchSize,
      signal,
      ...(opened.organs && { organ: organsOf(set, values.organ) }),
      onRows: (done, total) => progress.update("embed", done, total, "tiles"),
    });
    const { report, json, sections } = await retrieveResult(opened.model, set, reader, embedded, {
      gpu,
      ks,
      shown: values.shown,
      queries: values.queries,
      pool: values.pool as "all" | "slide",
      genes: values.genes,
      storage: values.gallery as "f32" | "f16",
    });
    const result = { ...opened.origin, ...json, warnings: set.warnings };
    write(values.out, result, sections, `Retrieval, ${opened.origin.encoder}`);
    for (const line of lines(report)) progress.say(line);
    if (values.json) printJson(result);
    const { imageToGene, geneToImage } = report.across;
    return imageToGene.mrr === null || geneToImage.mrr === null ? INCOMPLETE : 0;
  } finally {
    reader.close();
  }
}

/** Organ of each pair, by its sample. */
function organsOf(set: TrainingSet, given: string | undefined): (pair: number) => number {
  const organs = set.samples.map(({ files }) => organOf(files, given));
  return (pair) => organs[set.locate(pair).sample]!;
}

function write(out: string, result: unknown, sections: readonly GallerySection[], title: string): void {
  makeFolder(out);
  disk.write(`${out}/gallery.png`, encodePng(galleryPicture(sections)));
  disk.write(
    `${out}/gallery.html`,
    galleryPage(title, ["Thick green frames: the query's own. Thin orange frames: others."], sections),
  );
  disk.write(`${out}/retrieval.json`, `${JSON.stringify(result, null, 2)}\n`);
}

/** The table on stderr. */
export function lines({ ks, across, within }: RetrievalReport): string[] {
  const cell = (value: number | null) => (value === null ? "-" : value.toFixed(3));
  const recall = (values: ByK) => ks.map((k) => cell(values[k]!));
  const pool = (what: string, { pairs, chance, imageToGene, geneToImage }: PoolMetrics, slides: string) =>
    ([["gene to image", geneToImage], ["image to gene", imageToGene]] as const).flatMap(([way, of]) => [
      [
        `${what}, ${way}`,
        ...recall(of.recall),
        cell(of.medianRank),
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
