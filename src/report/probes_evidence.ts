/**
 * Probes of features before and after training, task by task: a row of what was given, a row an arm, and what each arm has more.
 *
 * @module
 */

import type { EVIDENCE_SCHEMA } from "./run_evidence.ts";

/** A task. */
export interface ProbeTask {
  readonly name: string;
  /** What is measured: `balanced accuracy`, `mean Pearson`. */
  readonly measure: string;
  /** What must be known of it. */
  readonly note?: string;
}

/** Features judged by all tasks. */
export interface ProbeRow {
  readonly id: string;
  readonly label: string;
  readonly note?: string;
  /** A task each; null where it is not defined. */
  readonly values: readonly (number | null)[];
}

/** What features have more than the given ones, with an interval over test patients. */
export interface ProbeDelta {
  readonly id: string;
  /** Index of the task; the last but one is followed by the mean over tasks. */
  readonly task: number;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  readonly reason?: string;
}

/** `evaluation/probes.json`. */
export interface ProbesEvidence {
  readonly schema: typeof EVIDENCE_SCHEMA;
  /** Patients that probes are fitted on, and judged on. */
  readonly train: number;
  readonly test: number;
  readonly tasks: readonly ProbeTask[];
  /** The given features first. */
  readonly rows: readonly ProbeRow[];
  /** By row and task; `task` of the mean over all is their number. */
  readonly deltas: readonly ProbeDelta[];
  readonly notes: readonly string[];
}
