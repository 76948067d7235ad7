/**
 * `retrieve`: finds patches by expression, expression by patches, and patches by a set of genes, with a trained run.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { fixed, rankText } from "../core/fixed.ts";
import { alignRows, count } from "../core/text_table.ts";
import { type ByK, type PoolMetrics, RECALL_AT, type RetrievalReport } from "../eval/retrieval.ts";
import { namesOf } from "../run/data.ts";
import { hostOf } from "../run/host.ts";
import { flagFacts } from "../run/output_folder.ts";
import { retrieve } from "../run/retrieve.ts";
import type { KindReport } from "../run/retrieve_donors.ts";
import type { GeneQuery } from "../run/retrieve_result.ts";
import type { Args, Flags } from "./args.ts";
import { EXPRESSION_FLAGS, expressionOptions } from "./expression_flags.ts";
import { gpuOpener, tuningFacts } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { Progress } from "./progress.ts";
import { encodersOf, RUN_FLAGS } from "./run_flags.ts";
import { printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "retrieve";
/** What it does. */
export const summary = "gene to image, image to gene, gene-set query: ranks, recall@k, gallery image";
/** An example. */
export const example = "retrieve --run runs/conch --data data/hest --genes EPCAM+3,KRT8 --out retrieval";

/** Flags of the command. */
export const flags = {
  ...RUN_FLAGS,
  ...EXPRESSION_FLAGS,
  genes: { kind: "list", value: "NAMES", help: "gene-set query: EPCAM,KRT8+3,CD3E-1,ESR1@p95 raises by deviations" },
  "gene-sets": { kind: "text", value: "FILE", help: "sets in GMT, each a query: all its genes raised by 2 deviations" },
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

/** Genes of a query that are shown. */
const MOST_GENES = 12;

function valuesOfK(text: string): number[] {
  const ks = text.split(",").map((part) => Number(part.trim()));
  if (ks.every((k) => Number.isInteger(k) && k > 0)) return [...new Set(ks)].sort((a, b) => a - b);
  throw new ConfigError(`Cannot read --at ${text}: wanted positive whole numbers, as in 1,5,10`);
}

/** Encoders that are opened. */
export const encoders = encodersOf;

/** Runs the command. */
export async function run({ flags: values }: Args<typeof flags>, { signal }: Job): Promise<number> {
  const progress = new Progress(values.quiet);
  const ks = valuesOfK(values.at);
  const { run, "batch-size": batchSize } = values;
  if (run === undefined) {
    throw new ConfigError("Cannot retrieve: no --run is given", { hint: "Give the folder that train wrote" });
  }
  const { json, status, path, found } = await retrieve({
    ...values,
    run,
    checkpoint: values.checkpoint as "best" | "last",
    precision: values.precision as "f32" | "f16" | undefined,
    batchSize,
    samples: namesOf(values.samples),
    geneSets: values["gene-sets"],
    expression: expressionOptions(values),
    ks,
    pool: values.pool as "all" | "slide",
    storage: values.gallery as "f32" | "f16",
    settings: { ...flagFacts(values, ["run", "data", "encoder", "gene-sets"]), ...tuningFacts(values) },
  }, { host: hostOf(progress, signal), openGpu: gpuOpener(values, (text) => progress.say(text)) });
  if (found !== undefined) {
    const { report, kinds, genes } = found;
    for (const line of [...lines(report), ...kindLines(kinds), ...genes.flatMap(geneLines)]) progress.say(line);
    progress.say(`${path}: retrieval.json, gallery.png, gallery.html${values.embeddings ? ", embeddings" : ""}`);
  }
  if (values.json) printJson(json);
  return status;
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
      ...raised.slice(0, MOST_GENES).map((one) => [
        `  ${one.gene}`,
        cell(one.training_mean),
        cell(one.asked),
        cell(one.measured_in_first),
        cell(one.measured_in_found),
        `${cell(one.measured_in_all)}${one.reason === undefined ? "" : ` (${one.reason})`}`,
      ]),
      ...(raised.length > MOST_GENES ? [[`  ${raised.length - MOST_GENES} more in retrieval.json`]] : []),
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
