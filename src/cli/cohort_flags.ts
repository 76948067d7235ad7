/**
 * The files of a cohort as the flags of `mil` and of `evaluate --split` name them.
 *
 * @module
 */

import type { CohortFiles } from "../run/cohort.ts";
import { findSources } from "../run/evaluate_sources.ts";

/** Flags that say where a cohort lies: outputs keep what is in the files, not where they are. */
export const COHORT_PATHS: readonly string[] = ["features", "split", "task", "expression", "gene-sets"];

/** Files that flags name. @throws {ConfigError} If a folder of features is named twice. */
export function cohortFiles(values: {
  readonly split: string;
  readonly task: string;
  readonly features: readonly string[];
  readonly expression?: string | undefined;
  readonly "gene-sets"?: string | undefined;
}): CohortFiles {
  const { split, task, features, expression, "gene-sets": geneSets } = values;
  const sources = findSources({ encoder: [], adapter: [], features });
  return {
    split,
    task,
    features: sources.map(({ name, features }) => ({ name, path: features! })),
    expression,
    geneSets,
  };
}
