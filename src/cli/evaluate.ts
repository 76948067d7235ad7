/**
 * `evaluate`: the linear probe and HEST-Benchmark on encoders, adapters and features, side by side.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { evaluationText } from "../eval/bench/bench_table.ts";
import type { LeaveOut } from "../eval/bench/folds.ts";
import { PROTOCOLS } from "../eval/protocol.ts";
import { evaluate, type TaskPlace } from "../run/evaluate.ts";
import { runSources, trainedSamples } from "../run/evaluate_runs.ts";
import { findSources, needsEmbedding, uniquelyNamed } from "../run/evaluate_sources.ts";
import { flagFacts } from "../run/output_folder.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { COHORT_FLAGS, evaluateCohortCommand } from "./evaluate_cohort.ts";
import { EXPRESSION_FLAGS, expressionOptions } from "./expression_flags.ts";
import { gpuOpener, tuningFacts } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "evaluate";
/** What it does. */
export const summary =
  "linear probe, HEST-Benchmark and slide-level tasks on encoders, adapters or features, side by side";
/** An example. */
export const example = "evaluate --bench bench_data --task IDC --encoder uni2-h --adapter runs/a/checkpoints/best";

/** Flags of the command. */
export const flags = {
  encoder: {
    kind: "list",
    value: "X",
    help:
      "registry name, folder, weights file, random:ARCH; X+DIR with an adapter; colour: what colours alone score; of synthetic data also oracle:all, oracle:visible",
  },
  adapter: { kind: "list", value: "DIR", help: "PEFT LoRA folder or SEAL .pth, compared with its --encoder" },
  features: { kind: "list", value: "DIR", help: "folder of features that embed wrote, instead of an encoder" },
  run: {
    kind: "list",
    value: "DIR",
    help:
      "of --data: trained runs of any method, compared with the first --encoder or --features on donors that none trained on",
  },
  data: { kind: "list", value: "DIR", help: "samples in HEST's layout" },
  bench: { kind: "text", value: "DIR", help: "HEST-Benchmark's bench_data, or one of its tasks" },
  task: { kind: "list", value: "NAME", help: "only these tasks of --bench; of --split its config.yaml" },
  ...COHORT_FLAGS,
  protocol: {
    kind: "choice",
    of: Object.keys(PROTOCOLS),
    default: "hest-bench/1",
    help: Object.values(PROTOCOLS).map(({ name, what }) => `${name}: ${what}`).join("; "),
  },
  "leave-out": {
    kind: "choice",
    of: ["donor", "organ", "technology", "sample"],
    help: "of --data: one fold for each; donor unless the folder has splits/",
  },
  folds: { kind: "number", value: "N", integer: true, min: 2, help: "of --data: N folds of whole donors" },
  panel: {
    kind: "text",
    value: "FILE",
    help: 'of --data: genes as {"genes": []}; else var_50genes.json, else each fold\'s own',
  },
  "panel-genes": { kind: "number", value: "N", integer: true, min: 1, default: 50, help: "genes a fold chooses" },
  "few-shot": {
    kind: "text",
    value: "COLUMN",
    help: "also probe this column of obs with 1 to 32 labelled spots a class",
  },
  ...EXPRESSION_FLAGS,
  "per-gene": { kind: "switch", help: "each gene in the table and in results.json" },
  cache: { kind: "text", value: "DIR", help: "where features are kept; OUT/features unless given" },
  "batch-size": COMMON["batch-size"],
  out: { kind: "text", value: "DIR", default: "evaluation", help: "folder of results.json and HEST's result files" },
  "image-size": COMMON["image-size"],
  seed: COMMON.seed,
  precision: COMMON.precision,
  overwrite: COMMON.overwrite,
  software: COMMON.software,
  backend: COMMON.backend,
  tuning: COMMON.tuning,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

type Values = Args<typeof flags>["flags"];

/** Encoders that are opened. */
export function encoders({ flags: values }: Args<typeof flags>): string[] {
  if (values.split !== undefined) return [];
  return findSources(values).filter(needsEmbedding).map(({ encoder }) => encoder!);
}

/** Runs the command. */
export async function run({ flags: values }: Args<typeof flags>, { signal }: Job): Promise<number> {
  if (values.split !== undefined) return await evaluateCohortCommand(values, signal);
  const reporter = new Progress(values.quiet);
  const sources = uniquelyNamed([...findSources(values), ...await runSources(values.run)]);
  const { json, status, found } = await evaluate({
    sources,
    place: placeOf(values),
    protocol: values.protocol!,
    panelGenes: values["panel-genes"]!,
    fewShot: values["few-shot"],
    expression: expressionOptions(values),
    perGene: values["per-gene"],
    cache: values.cache,
    batchSize: values["batch-size"],
    imageSize: values["image-size"],
    precision: values.precision === "f16" ? "f16" : "f32",
    out: values.out!,
    overwrite: values.overwrite,
    settings: {
      ...flagFacts(values, ["encoder", "adapter", "features", "run", "data", "bench", "panel", "cache"]),
      ...tuningFacts(values),
    },
  }, { reporter, signal, openGpu: gpuOpener(values, (text) => reporter.say(text)) });
  if (found !== undefined) { for (const line of evaluationText(found)) reporter.say(line); }
  if (values.json) printJson(json);
  return status;
}

/** Where the flags say that tasks are. */
function placeOf(values: Values): TaskPlace {
  const { data, bench, task, run } = values;
  if ((data.length > 0) === (bench !== undefined)) {
    throw new ConfigError(`Cannot evaluate: ${bench === undefined ? "neither" : "both"} --data and --bench given`, {
      hint: "Give --bench bench_data, or --data with a folder in HEST's layout",
    });
  }
  if (bench !== undefined) {
    const idle = (["leave-out", "folds", "panel", ...(run.length > 0 ? ["run"] as const : [])] as const)
      .find((flag) => values[flag] !== undefined);
    if (idle === undefined) return { bench, only: task };
    throw new ConfigError(`Cannot use --${idle} with --bench: a task has its own splits and panel`, {
      hint: "Use --data",
    });
  }
  if (task.length > 0) throw new ConfigError("Cannot use --task with --data: it is for --bench");
  const cut = (["leave-out", "folds"] as const).find((flag) => values[flag] !== undefined);
  if (run.length > 0 && cut !== undefined) {
    throw new ConfigError(`Cannot use --${cut} with --run: donors are tested that no run trained on`, {
      hint: "Leave it out, or give adapters and features by themselves",
    });
  }
  if (values.folds !== undefined && values["leave-out"] !== undefined) {
    throw new ConfigError("Cannot use --folds and --leave-out together: one of them decides the folds");
  }
  const leaveOut = values["leave-out"] as LeaveOut | undefined;
  const trained = run.length > 0 ? trainedSamples(run) : undefined;
  return { data, leaveOut, folds: values.folds, trained, panel: values.panel, seed: values.seed };
}
