/**
 * Probes before and after: one table, a row of given features and a row an arm with what it has more; the published table of
 * the design, named as what it is.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { amount, difference, NONE, score } from "./format.ts";
import { markup, type Slot } from "./html.ts";
import { scroller, section, table } from "./html_table.ts";
import { POSTER, POSTER_CAPTION, POSTER_TASKS, type PosterRow } from "./poster.ts";
import type { ProbeRow, ProbesEvidence } from "./probes_evidence.ts";

/** The section; nothing where a run has no probes. */
export function probes({ probes: found }: Pick<ReadEvidence, "probes">): Slot {
  if (found === undefined) return "";
  return section(
    { id: "probes", title: "Probes" },
    scroller("Probes", deltaTable(found)),
    scroller("Published results", published()),
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
  const reasons = new Set(deltas.map(({ reason }) => reason));
  // What all lack for one reason is said once.
  const [none] = reasons.size === 1 ? reasons : [];
  const cell = (row: ProbeRow, task: number): Slot => {
    const value = task === tasks.length ? meanOf(row) : row.values[task]!;
    const delta = deltas.find((one) => one.id === row.id && one.task === task);
    const range = delta &&
      (delta.low !== undefined && delta.high !== undefined
        ? `${difference(delta.value)} (${difference(delta.low)} to ${difference(delta.high)})`
        : `${difference(delta.value)}${none === undefined ? `, no interval: ${delta.reason ?? "not known"}` : ""}`);
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
    } and judged on ${amount(test, "patient")}; under a value stands what it has more than the given features, ${
      none === undefined ? "with a 95 % bootstrap interval paired over test patients" : `without an interval: ${none}`
    }.`,
  });
}

function published(): Slot {
  const points = (value: number, signed: boolean, digits = 1) =>
    `${value < 0 ? "−" : signed ? "+" : ""}${Math.abs(value).toFixed(digits)}`;
  const cell = (of: (row: PosterRow) => number, digits?: number) => (row: PosterRow) =>
    points(of(row), row.difference, digits);
  return table(POSTER, [
    { head: "Published", cell: ({ label }) => label },
    ...POSTER_TASKS.map((name, t) => ({
      ...{ head: name, className: "number", label: name, cell: cell(({ values }) => values[t]!) },
    })),
    { head: "Mean", className: "number", label: "mean", cell: cell(({ all }) => all, 2) },
    { head: "TCGA", className: "number", label: "TCGA", cell: cell(({ tcga }) => tcga, 2) },
    { head: "Others", className: "number", label: "others", cell: cell(({ others }) => others, 2) },
  ], { caption: markup`<b>What was published of this design.</b> ${POSTER_CAPTION}.` });
}
