/**
 * `evaluate --split`: mean features of slides on the folds of a cohort, encoders side by side.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { count } from "../core/text_table.ts";
import type { LeftOut } from "../data/cohort/pooled.ts";
import { shortList } from "../data/cohort/cohort_table.ts";
import type { CaseSlides } from "../eval/cohort/cohort.ts";
import { type CohortResult, evaluateCohort } from "../eval/cohort/evaluate.ts";
import { cohortJson, cohortText, predictionsCsv, scoresCsv } from "../eval/cohort/output.ts";
import { disk } from "../io/fs.ts";
import { checkFolder } from "../io/output.ts";
import { cohortFacts, type CohortFiles, loadCohort, type LoadedCohort, openCohort } from "../run/cohort.ts";
import { findSources } from "../run/evaluate_sources.ts";
import { flagFacts, OutputFolder } from "../run/output_folder.ts";
import type { Job } from "./interrupt.ts";
import { Progress } from "./progress.ts";
import { printJson, say } from "./terminal.ts";

/** Flags of `evaluate` that a cohort takes, beside those of every command. */
export const COHORT_FLAGS = {
  split: {
    kind: "text",
    value: "FILE",
    help:
      "slide-level task: table of slides with labels and folds (Patho-Bench's k=all.tsv); with --task and --features",
  },
  "case-slides": {
    kind: "choice",
    of: ["mean", "combine"],
    help: "of --split: slides of a case as the mean of their means (default), or as one bag of tiles",
  },
  expression: {
    kind: "text",
    value: "FILE",
    help: "of --split: bulk expression, case_id and a column a gene, log scale",
  },
  "gene-sets": {
    kind: "text",
    value: "FILE",
    help: "of --split: GMT whose sets, scored on --expression, are the targets",
  },
  draws: {
    kind: "number",
    value: "N",
    integer: true,
    min: 1,
    max: 100_000,
    help: "of --split: draws of the intervals; 100 unless given",
  },
} as const;

/** What of the flags is used. */
export interface CohortValues {
  readonly split?: string | undefined;
  readonly task: readonly string[];
  readonly features: readonly string[];
  readonly encoder: readonly string[];
  readonly adapter: readonly string[];
  readonly data: readonly string[];
  readonly bench?: string | undefined;
  readonly "case-slides"?: string | undefined;
  readonly expression?: string | undefined;
  readonly "gene-sets"?: string | undefined;
  readonly draws?: number | undefined;
  readonly seed?: number | undefined;
  readonly out?: string | undefined;
  readonly overwrite: boolean;
  readonly quiet: boolean;
  readonly json: boolean;
}

/** Files beside the result. */
const [SCORES, PREDICTIONS] = ["scores.csv", "predictions.csv"];
/** Exit status of a run in which something is not defined or was left out. */
const SOME_FAILED = 3;

function filesOf(values: CohortValues): CohortFiles {
  const idle = (["encoder", "adapter", "data", "bench"] as const).find((flag) => values[flag]?.length);
  if (idle !== undefined) {
    throw new ConfigError(`Cannot use --${idle} with --split: a slide-level task takes features of slides`, {
      hint: "embed writes them; give their folder as --features",
    });
  }
  const [task, ...more] = values.task;
  if (task === undefined || more.length > 0 || values.features.length === 0) {
    throw new ConfigError(
      `Cannot evaluate a slide-level task: ${count(values.task.length, "task")} and ${
        count(values.features.length, "folder")
      } of features given, wanted one --task and --features`,
      { hint: "--split k=all.tsv --task config.yaml --features features_uni_v2" },
    );
  }
  const features = findSources({ encoder: [], adapter: [], features: values.features });
  return {
    split: values.split!,
    task,
    features: features.map(({ name, features }) => ({ name, path: features! })),
    expression: values.expression,
    geneSets: values["gene-sets"],
  };
}

/** Runs the command. */
export async function evaluateCohortCommand(command: string, values: CohortValues, { signal }: Job): Promise<number> {
  const files = filesOf(values);
  checkFolder(values.out!);
  const opened = openCohort(files);
  const progress = new Progress(values.quiet);
  using folder = OutputFolder.open({
    out: values.out!,
    command,
    result: "results.json",
    names: [SCORES, PREDICTIONS],
    facts: {
      ...flagFacts({ ...values }, ["features", "split", "task", "expression", "gene-sets"]),
      ...await cohortFacts(files, opened),
    },
    overwrite: values.overwrite,
  });
  if (folder.finished) {
    progress.say(`${folder.path}/results.json: is there`);
    if (values.json) printJson(folder.finished.json);
    return folder.finished.status;
  }
  const loaded = await loadCohort(opened, files.features, {
    caseSlides: (values["case-slides"] ?? "mean") as CaseSlides,
    signal,
    onSlide: (source, done, total) => progress.update(source, done, total, "slides"),
  });
  const result = await evaluateCohort(loaded.cohort, loaded.sources, {
    draws: values.draws ?? 100,
    seed: values.seed ?? 0,
    async onFold(source, done, total) {
      progress.update(`${source}: folds`, done, total, "probes");
      // Lets signals in: fitting computes without a pause.
      await new Promise((resolve) => setTimeout(resolve, 0));
      signal.throwIfAborted();
    },
  });
  const warnings = [...leftOutTexts(loaded), ...problemTexts(result)];
  for (const text of [...loaded.notes, ...warnings]) progress.warn(text);
  const status = warnings.length > 0 ? SOME_FAILED : 0;
  folder.begin();
  disk.write(`${folder.path}/${SCORES}`, scoresCsv(result));
  disk.write(`${folder.path}/${PREDICTIONS}`, predictionsCsv(result));
  const written = folder.finish(
    {
      task: opened.task.columns.join(", "),
      sample_col: `${opened.task.of}_id`,
      ...cohortJson(result),
      sources: loaded.sources.map(({ name, x }) => ({ name, dim: x.columns })),
      left_out: loaded.leftOut,
      notes: loaded.notes,
      warnings,
    },
    status,
  );
  if (!values.quiet) cohortText(result).forEach(say);
  if (values.json) printJson(written);
  return status;
}

/** Slides that take no part, by encoder and why. */
function leftOutTexts({ leftOut }: LoadedCohort): string[] {
  const what: Readonly<Record<LeftOut["code"], string>> = {
    missing: "without features",
    empty: "without tiles",
    "not-finite": "with numbers that are not finite",
    damaged: "whose file cannot be read",
  };
  return [...Map.groupBy(leftOut, ({ source, code }) => `${source}\0${code}`).values()].map((own) => {
    const { source, code, reason } = own[0]!;
    const names = shortList(own.map(({ slide }) => slide));
    const more = code === "missing" || code === "empty" ? "" : ` (${own[0]!.slide}: ${reason})`;
    return `${source}: ${count(own.length, "slide")} ${what[code]}, left out for all encoders: ${names}${more}`;
  });
}

/** Problems by text, with the folds that have them. */
function problemTexts({ folds }: CohortResult): string[] {
  const found = folds.flatMap(({ fold, judged, problems }) =>
    problems.map((text) => ({ name: fold.name, text: judged ? text : `${text}: not judged` }))
  );
  return [...Map.groupBy(found, ({ text }) => text)].map(([text, own]) =>
    `${shortList(own.map(({ name }) => name))}: ${text}`
  );
}
