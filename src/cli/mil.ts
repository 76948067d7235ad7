/**
 * `mil`: slide-level models on all folds of a cohort, beside models of the mean.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { count } from "../core/text_table.ts";
import type { CaseSlides } from "../eval/cohort/cohort.ts";
import { cohortText } from "../eval/cohort/output.ts";
import { neighbourText } from "../eval/cohort/neighbours.ts";
import { loadMethod, METHOD_NAMES } from "../methods/index.ts";
import { HOST_MODELS, mil } from "../run/mil.ts";
import type { FoldMethod } from "../run/mil_runs.ts";
import { flagFacts } from "../run/output_folder.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { COHORT_PATHS, cohortFiles } from "./cohort_flags.ts";
import { gpuOpener, tuningFacts } from "./gpu.ts";
import { type Job, quoted } from "./interrupt.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "mil";
/** What it does. */
export const summary =
  "slide-level models (ABMIL, CLAM, mean, retrieval) on all folds of a cohort, with paired differences";
/** An example. */
export const example =
  "mil --features features_uni_v2 --split k=all.tsv --task config.yaml --model abmil,mean,meanmil,retrieval --out runs/her2";
/** Keys of the method may be given behind the flags. */
export const overrides = true;

/** Name of the method whose folds are trained. */
const METHOD = "mil";

/** The method. @throws {ConfigError} If there is none of that name, or it trains on no folds. */
async function foldMethod(): Promise<FoldMethod> {
  const method = await loadMethod(METHOD);
  if (method.folds !== undefined) return method as FoldMethod;
  throw new ConfigError(`Cannot train on folds: method ${METHOD} has no models of slides`);
}

/** Keys that a run of one fold takes. */
export async function keys(): Promise<readonly string[]> {
  return METHOD_NAMES.includes(METHOD) ? (await foldMethod()).config.names : [];
}

/** Keys of the configuration, for the help. */
export async function details(): Promise<string> {
  if (!METHOD_NAMES.includes(METHOD)) return `Method ${METHOD} is not there`;
  return ["Keys of every run (KEY=VALUE):", (await foldMethod()).config.help()].join("\n");
}

/** Flags of the command. */
export const flags = {
  features: { kind: "list", value: "DIR", help: "folder with a feature file a slide; several are compared" },
  split: {
    kind: "text",
    value: "FILE",
    help: "table of slides with labels and folds: Patho-Bench's k=all.tsv, or split's",
  },
  task: { kind: "text", value: "FILE", help: "what is predicted: config.yaml beside it" },
  model: {
    kind: "list",
    value: "NAME,…",
    help: "abmil, gated, clam, meanmil, mean (always there) and retrieval; default abmil,meanmil,retrieval",
  },
  "case-slides": {
    kind: "choice",
    of: ["combine", "mean"],
    default: "combine",
    help: "slides of a case as one bag of tiles, or as the mean of their vectors",
  },
  expression: { kind: "text", value: "FILE", help: "bulk expression, case_id and a column a gene, log scale" },
  "gene-sets": { kind: "text", value: "FILE", help: "GMT whose sets, scored on --expression, are the targets" },
  draws: {
    kind: "number",
    value: "N",
    integer: true,
    min: 1,
    max: 100_000,
    default: 100,
    help: "draws of the intervals",
  },
  seeds: {
    kind: "number",
    value: "N",
    integer: true,
    min: 1,
    max: 100,
    default: 1,
    help: "seeds that every model is trained from on every fold; scores are their means. Few cases take 3 or more",
  },
  "dry-run": { kind: "switch", help: "tells what the folds would cost, and writes nothing" },
  out: {
    kind: "text",
    value: "DIR",
    default: "runs/mil",
    help: "folder of the runs and results.json; the same command goes on there",
  },
  seed: { ...COMMON.seed, default: 0 },
  overwrite: COMMON.overwrite,
  software: COMMON.software,
  backend: COMMON.backend,
  tuning: COMMON.tuning,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

type Values = Args<typeof flags>["flags"];

/** Refuses a command line that lacks what is needed. */
function required(values: Values): { split: string; task: string } {
  const { split, task, features } = values;
  const missing = features.length === 0
    ? "--features"
    : split === undefined
    ? "--split"
    : task === undefined
    ? "--task"
    : undefined;
  if (missing === undefined) return { split: split!, task: task! };
  throw new ConfigError(`Cannot train on folds: no ${missing} is given`, { hint: `For example: ${example}` });
}

/** Keys that say what flags say. */
const FLAGGED: readonly string[] = [
  "method",
  "features",
  "labels",
  "task",
  "target",
  "sample_col",
  "case_slides",
  "expression",
  "gene_sets",
  "drop_missing",
  "fold",
  "split_file",
  "model",
  "seed",
  "out",
];

/** Runs the command. */
export async function run({ flags: values, overrides: given }: Args<typeof flags>, job: Job): Promise<number> {
  const { split, task } = required(values);
  const { out } = values;
  const flagged = given.find(([key]) => FLAGGED.includes(key.split(".").at(-1)!));
  if (flagged !== undefined) {
    throw new ConfigError(`Cannot use ${flagged[0]}=${flagged[1]}: flags say which inputs, folds and models`, {
      hint: "--features, --split, --task, --model, --case-slides, --expression, --gene-sets, --seed, --out",
    });
  }
  const reporter = new Progress(values.quiet);
  const models = values.model.flatMap((list) => list.split(",")).map((one) => one.trim()).filter(Boolean);
  const { json, status, found } = await mil({
    method: await foldMethod(),
    files: cohortFiles({ ...values, split, task }),
    models: models.length > 0 ? [...new Set(models)] : ["abmil", "meanmil", ...HOST_MODELS],
    caseSlides: values["case-slides"] as CaseSlides,
    draws: values.draws,
    seed: values.seed,
    seeds: values.seeds,
    keys: given,
    dryRun: values["dry-run"],
    out,
    overwrite: values.overwrite,
    settings: {
      ...flagFacts(values, [...COHORT_PATHS, "software", "dry-run"]),
      ...tuningFacts(values),
      ...Object.fromEntries(given),
    },
  }, {
    reporter,
    signal: job.signal,
    clock: { date: () => new Date(), ms: () => performance.now() },
    openGpu: gpuOpener(values, (text) => reporter.say(text)),
    gracefully: (act) => job.gracefully(act),
    command: ["deno task mil", ...Deno.args.slice(1).map(quoted)].join(" "),
    versions: { Deno: Deno.version.deno, V8: Deno.version.v8 },
  });
  if (found !== undefined) {
    for (const line of [...cohortText(found), ...neighbourText(found.retrieval)]) reporter.say(line);
    reporter.say(`Made of: ${json.made_of}`);
    const runs = (json.runs as readonly unknown[]).length;
    const beside = runs > 0 ? `, with the runs of ${count(found.judged.length, "fold")} beside it` : "";
    reporter.say(`${out}/results.json${beside}`);
  }
  if (values.json) printJson(json);
  return status;
}
