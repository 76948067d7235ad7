/**
 * `evaluate --split`: mean features of slides on the folds of a cohort, encoders side by side.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { count } from "../core/text_table.ts";
import type { CaseSlides } from "../eval/cohort/cohort.ts";
import { cohortText } from "../eval/cohort/output.ts";
import type { CohortFiles } from "../run/cohort.ts";
import { evaluateCohortFiles } from "../run/evaluate_cohort.ts";
import { flagFacts } from "../run/output_folder.ts";
import { COHORT_PATHS, cohortFiles } from "./cohort_flags.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";

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
  return cohortFiles({ ...values, split: values.split!, task });
}

/** Runs the command. */
export async function evaluateCohortCommand(values: CohortValues, signal: AbortSignal): Promise<number> {
  const reporter = new Progress(values.quiet);
  const { json, status, found } = await evaluateCohortFiles({
    files: filesOf(values),
    caseSlides: (values["case-slides"] ?? "mean") as CaseSlides,
    draws: values.draws ?? 100,
    seed: values.seed ?? 0,
    out: values.out!,
    overwrite: values.overwrite,
    settings: flagFacts({ ...values }, COHORT_PATHS),
  }, { reporter, signal });
  if (found !== undefined) {
    for (const line of cohortText(found)) reporter.say(line);
    reporter.say(`Made of: ${json.made_of}`);
  }
  if (values.json) printJson(json);
  return status;
}
