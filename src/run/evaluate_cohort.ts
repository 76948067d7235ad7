/**
 * Evaluation of mean features of slides on the folds of a cohort, encoders side by side, and the folder of its results.
 *
 * @module
 */

import { INCOMPLETE } from "../core/exit_status.ts";
import type { Facts } from "../core/facts.ts";
import { count } from "../core/text_table.ts";
import type { LeftOut } from "../data/cohort/pooled.ts";
import { shortList } from "../data/cohort/cohort_table.ts";
import type { CaseSlides } from "../eval/cohort/cohort.ts";
import { type CohortOptions, type CohortResult, evaluateCohort } from "../eval/cohort/evaluate.ts";
import { identityNote } from "../evidence/identity.ts";
import type { Gpu } from "../gpu/device.ts";
import { cohortJson, predictionsCsv, scoresCsv } from "../eval/cohort/output.ts";
import { disk } from "../io/fs.ts";
import { checkFolder } from "../io/output.ts";
import {
  cohortFacts,
  type CohortFiles,
  loadCohort,
  type LoadedCohort,
  openCohort,
  type OpenedCohort,
} from "./cohort.ts";
import { type Evaluated, RESULT } from "./evaluate.ts";
import type { Machine } from "./machine.ts";
import { OutputFolder } from "./output_folder.ts";

/** Files beside the result. */
export const [SCORES, PREDICTIONS] = ["scores.csv", "predictions.csv"] as const;

/** What is evaluated and how. */
export interface EvaluateCohortOptions {
  readonly files: CohortFiles;
  readonly caseSlides: CaseSlides;
  /** Draws of the intervals. */
  readonly draws: number;
  readonly seed: number;
  /** Folder of the output. */
  readonly out: string;
  readonly overwrite: boolean;
  /** Settings as the output keeps them. */
  readonly settings: Facts;
}

/** What was found. */
export interface EvaluatedCohort extends Omit<Evaluated, "found"> {
  /** What is printed of it; missing where it was done before. */
  readonly found?: CohortResult;
}

/** What is told while a cohort is evaluated. */
type Told = Pick<Machine, "reporter" | "signal">;

/** Reads the features of a cohort. @throws {DataError} As {@linkcode loadCohort}. */
export async function load(
  opened: OpenedCohort,
  { files, caseSlides }: Pick<EvaluateCohortOptions, "files" | "caseSlides">,
  { reporter, signal }: Told,
): Promise<LoadedCohort> {
  return await loadCohort(opened, files.features, {
    caseSlides,
    signal,
    onSlide: (source, done, total) => reporter.update(source, done, total, "slides"),
  });
}

/** Judges models of the mean, and what was trained beside them. @throws {DataError} If no fold can be judged. */
export async function judge(
  { cohort, sources }: LoadedCohort,
  options: Omit<CohortOptions, "onFold">,
  { reporter, signal }: Told,
): Promise<CohortResult> {
  return await evaluateCohort(cohort, sources, {
    ...options,
    async onFold(source, done, total) {
      reporter.update(`${source}: folds`, done, total, "probes");
      // Lets signals in: fitting computes without a pause.
      await new Promise((resolve) => setTimeout(resolve, 0));
      signal.throwIfAborted();
    },
  });
}

/** What the result is of. @param gpu On which models of bags were trained, if any were. */
export function cohortMadeOf({ cohort: { folds, units }, sources }: LoadedCohort, seed: number, gpu?: Gpu): string {
  const split = folds.flatMap(({ name, train, test }) =>
    ([["train", train], ["test", test]] as const).flatMap(([part, own]) =>
      own.map((u) => [`${name}/${units[u]!.name}`, part] as const)
    )
  );
  return identityNote({
    encoder: sources.map(({ name, madeBy }) => `${name} (${madeBy})`).join(" and "),
    split,
    seed,
    gpu,
  });
}

/** Writes scores by fold, and what each model says of each test case. */
export function writeTables(path: string, found: CohortResult): void {
  disk.write(`${path}/${SCORES}`, scoresCsv(found));
  disk.write(`${path}/${PREDICTIONS}`, predictionsCsv(found));
}

/**
 * Evaluates a cohort, or finds that it was done.
 *
 * @throws {ConfigError | DataError | FormatError} Naming file and line of what cannot be used.
 */
export async function evaluateCohortFiles(
  options: EvaluateCohortOptions,
  told: Told,
): Promise<EvaluatedCohort> {
  const { files, draws, seed, out, overwrite, settings } = options;
  const { reporter } = told;
  checkFolder(out);
  const opened = openCohort(files);
  using folder = OutputFolder.open({
    out,
    command: "evaluate",
    result: RESULT,
    names: [SCORES, PREDICTIONS],
    facts: { ...settings, ...await cohortFacts(files, opened) },
    overwrite,
  });
  const { path, finished } = folder;
  if (finished) {
    reporter.say(`${path}/${RESULT}: is there`);
    return finished;
  }
  const loaded = await load(opened, options, told);
  const found = await judge(loaded, { draws, seed }, told);
  const warnings = [...leftOutTexts(loaded), ...problemTexts(found)];
  for (const text of [...loaded.notes, ...warnings]) reporter.warn(text);
  const status = warnings.length > 0 ? INCOMPLETE : 0;
  folder.begin();
  writeTables(path, found);
  const json = folder.finish(
    {
      made_of: cohortMadeOf(loaded, seed),
      task: opened.task.columns.join(", "),
      sample_col: `${opened.task.of}_id`,
      ...cohortJson(found),
      sources: loaded.sources.map(({ name, x }) => ({ name, dim: x.columns })),
      left_out: loaded.leftOut,
      notes: loaded.notes,
      warnings,
    },
    status,
  );
  return { json, status, found };
}

/** Slides that take no part, by encoder and why. */
export function leftOutTexts({ leftOut }: LoadedCohort): string[] {
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
export function problemTexts({ folds }: CohortResult): string[] {
  const found = folds.flatMap(({ fold, judged, problems }) =>
    problems.map((text) => ({ name: fold.name, text: judged ? text : `${text}: not judged` }))
  );
  return [...Map.groupBy(found, ({ text }) => text)].map(([text, own]) =>
    `${shortList(own.map(({ name }) => name))}: ${text}`
  );
}
