/**
 * Checks of `evaluation/experts.json`.
 *
 * @module
 */

import type { ComparedFeatures, ExpertCurve, ExpertFacts, ExpertSection, ExpertsEvidence } from "./experts_evidence.ts";
import { differenceCheck, spread } from "./evidence_schema.ts";
import { EVIDENCE_SCHEMA } from "./run_evidence.ts";
import { type Check, count, exactly, list, object, optional, positive, real, text } from "./schema.ts";

/** The file. */
export const expertsEvidence: Check<ExpertsEvidence> = object<ExpertsEvidence>({
  schema: exactly(EVIDENCE_SCHEMA),
  temperature: positive,
  experts: list(object<ExpertFacts>({
    name: text,
    organs: list(text),
    clusters: count,
    pairs: count,
    held: count,
  })),
  sections: list(object<ExpertSection>({
    sample: text,
    donor: optional(text),
    x: list(real),
    y: list(real),
    expert: list(count),
    outside: count,
  })),
  curves: list(object<ExpertCurve>({
    ...{ organ: text, rows: count, clusters: list(count), inertia: list(real), silhouette: optional(list(real)) },
  })),
  compared: list(object<ComparedFeatures>({
    id: text,
    label: text,
    features: count,
    note: optional(text),
    pearson: spread,
    difference: optional(differenceCheck),
  })),
  notes: list(text),
});

/** Path, what was found and what was expected of the first list that does not fit the others; undefined where all do. */
export function unevenExperts(
  { experts, sections, curves }: ExpertsEvidence,
): readonly [path: string, found: string, expected: string] | undefined {
  for (const [i, { x, y, expert }] of sections.entries()) {
    for (const [name, { length }] of Object.entries({ y, expert })) {
      if (length !== x.length) return [`sections[${i}].${name}`, `${length} numbers`, `${x.length}, as x has`];
    }
    const bad = expert.findIndex((e) => e >= experts.length);
    if (bad >= 0) return [`sections[${i}].expert[${bad}]`, String(expert[bad]), `below ${experts.length}`];
  }
  for (const [i, { clusters, inertia, silhouette = clusters }] of curves.entries()) {
    for (const [name, { length }] of Object.entries({ inertia, silhouette })) {
      if (length === clusters.length) continue;
      return [`curves[${i}].${name}`, `${length} numbers`, `${clusters.length}, as clusters has`];
    }
  }
  return undefined;
}
