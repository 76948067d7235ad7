/**
 * Probes before and after: one table, a row of given features and a row an arm with what it has more; the published table of
 * the design, named as what it is.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { amount, difference, NONE, score } from "./format.ts";
import { markup, type Slot } from "./html.ts";
import { section, table } from "./html_table.ts";
import type { ProbeRow, ProbesEvidence } from "./probes_evidence.ts";

/** Differences in points that the poster gives, over its six tasks of TCGA and its four others. */
const PUBLISHED = [
  { label: "Poster, direct", all: 0.53, tcga: 1.38, others: -0.75 },
  { label: "Poster, contrastive", all: 0.8, tcga: 0.98, others: 0.53 },
] as const;

/** The section; nothing where a run has no probes. */
export function probes({ probes: found }: Pick<ReadEvidence, "probes">): Slot {
  if (found === undefined) return "";
  return section(
    { id: "probes", title: "Probes" },
    deltaTable(found),
    published(),
    found.notes.length > 0 && markup`<ul class="remark">${found.notes.map((text) => markup`<li>${text}.</li>`)}</ul>`,
  );
}

/** What each arm has more, in sentences. */
export function probeSentences({ rows, deltas, tasks, test }: ProbesEvidence): Slot[] {
  return rows.slice(1).flatMap(({ id, label }) => {
    const all = deltas.find((one) => one.id === id && one.task === tasks.length);
    if (all === undefined) return [];
    const unsure = all.low !== undefined && all.high !== undefined && all.low <= 0 && all.high >= 0;
    const range = all.low !== undefined && all.high !== undefined
      ? `, 95 % interval ${difference(all.low)} to ${difference(all.high)}${
        unsure ? ", which includes no difference" : ""
      }`
      : "";
    return [
      markup`${label}: probes of ${amount(tasks.length, "task")} on ${amount(test, "held-out patient")} gain <strong>${
        difference(all.value)
      }</strong> on average${range}. `,
    ];
  });
}

function meanOf({ values }: ProbeRow): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length;
}

function deltaTable(found: ProbesEvidence): Slot {
  const { tasks, rows, deltas, train, test } = found;
  const cell = (row: ProbeRow, task: number): Slot => {
    const value = task === tasks.length ? meanOf(row) : row.values[task]!;
    const delta = deltas.find((one) => one.id === row.id && one.task === task);
    const range = delta &&
      (delta.low !== undefined && delta.high !== undefined
        ? `${difference(delta.value)} (${difference(delta.low)} to ${difference(delta.high)})`
        : `${difference(delta.value)}, no interval: ${delta.reason ?? "not known"}`);
    return markup`${value === null ? NONE : score(value)}${range && markup`<small>${range}</small>`}`;
  };
  return table(rows, [
    {
      head: "Features",
      cell: ({ label, note }) => markup`<span>${label}</span>${note && markup`<small>${note}</small>`}`,
    },
    ...tasks.map(({ name, measure, note }, t) => ({
      head: markup`${name}<small>${measure}${note && `; ${note}`}</small>`,
      className: "number",
      label: name,
      cell: (row: ProbeRow) => cell(row, t),
    })),
    { head: "Mean", className: "number", label: "mean", cell: (row: ProbeRow) => cell(row, tasks.length) },
  ], {
    caption: markup`<b>Probes before and after.</b> Linear probes on the mean of each patient’s tiles, fitted on ${
      amount(train, "patient")
    } and judged on ${
      amount(test, "patient")
    }; under a value stands what it has more than the given features, with a 95 % bootstrap interval paired over test patients.`,
  });
}

function published(): Slot {
  const points = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
  return table(PUBLISHED, [
    { head: "Published", cell: ({ label }) => label },
    { head: "All ten tasks", className: "number", label: "all", cell: ({ all }) => points(all) },
    { head: "Six of TCGA", className: "number", label: "TCGA", cell: ({ tcga }) => points(tcga) },
    { head: "Four others", className: "number", label: "others", cell: ({ others }) => points(others) },
  ], {
    caption:
      markup`<b>What was published of this design.</b> Mean differences in points of “Enhancing Pathology Foundation Models with Transcriptomics” (kaiko.ai): other tasks, encoders and patients than the table above, each arm against a baseline of its own, without intervals.`,
  });
}
