/**
 * Checks of `evaluation/probes.json`.
 *
 * @module
 */

import type { ProbeDelta, ProbeRow, ProbesEvidence, ProbeTask } from "./probes_evidence.ts";
import { EVIDENCE_SCHEMA } from "./run_evidence.ts";
import { type Check, count, exactly, list, nullable, object, optional, real, text } from "./schema.ts";

/** The file. */
export const probesEvidence: Check<ProbesEvidence> = object<ProbesEvidence>({
  schema: exactly(EVIDENCE_SCHEMA),
  train: count,
  test: count,
  tasks: list(object<ProbeTask>({ name: text, measure: text, note: optional(text) })),
  rows: list(object<ProbeRow>({ id: text, label: text, note: optional(text), values: list(nullable(real)) })),
  deltas: list(object<ProbeDelta>({
    id: text,
    task: count,
    value: real,
    low: optional(real),
    high: optional(real),
    reason: optional(text),
  })),
  notes: list(text),
});

/** Path, what was found and what was expected of the first row that does not fit the tasks; undefined where all do. */
export function unevenProbes(
  { tasks, rows, deltas }: ProbesEvidence,
): readonly [path: string, found: string, expected: string] | undefined {
  for (const [i, { values }] of rows.entries()) {
    if (values.length !== tasks.length) return [`rows[${i}].values`, `${values.length} numbers`, `${tasks.length}`];
  }
  const bad = deltas.findIndex(({ id, task }) => task > tasks.length || !rows.some((row) => row.id === id));
  return bad < 0 ? undefined : [`deltas[${bad}]`, JSON.stringify(deltas[bad]), "a row and a task"];
}
