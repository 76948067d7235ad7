/**
 * How each number of the result was made: organs, donors seen and unseen, truth, penalty, panel and R2 of every probe.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { type DonorKind, donorKinds, namesOf, organScores, pairOf, samplesOf } from "./evidence_view.ts";
import { amount, difference, NONE, score } from "./format.ts";
import { markup, type Slot } from "./html.ts";
import { scroller, table } from "./html_table.ts";

const KIND_NAMES: Readonly<Record<DonorKind["kind"], string>> = {
  unseen: "Never trained on",
  seen: "Training saw other sections of them",
  unknown: "Not named",
};

/** Each kind of donors with its numbers, where training saw some or they are not known. */
export function donorTable(evidence: ReadEvidence): Slot {
  const kinds = donorKinds(evidence);
  if (kinds.length === 0 || (kinds.length === 1 && kinds[0]!.kind === "unseen")) return "";
  const names = namesOf(evidence);
  return table(kinds, [
    { head: "Donors", cell: ({ kind }) => KIND_NAMES[kind] },
    { head: "Number", className: "number", cell: ({ kind, donors }) => kind === "unknown" ? NONE : donors },
    { head: "Sections", className: "number", cell: ({ sections }) => sections },
    { head: names.before.head, className: "number", cell: ({ before }) => score(before) },
    { head: names.after.head, className: "number strong", cell: ({ after }) => score(after) },
  ], {
    className: "plain",
    caption:
      markup`<b>Donors seen and unseen.</b> Mean correlation within sections; only donors that training never saw speak for new patients.`,
  });
}

/** Scores by organ, where sections are of several: a frequent one speaks no louder than a rare one. */
export function organTable(evidence: ReadEvidence): Slot {
  const organs = organScores(evidence);
  if (organs.length === 0) return "";
  const names = namesOf(evidence);
  const few = samplesOf(evidence, "test").length - organs.at(-1)!.sections;
  return table(organs, [
    { head: "Organ", cell: ({ organ }) => organ ?? markup`<b>Mean of organs</b>` },
    { head: "Sections", className: "number", cell: ({ sections }) => sections },
    { head: names.before.head, className: "number", cell: ({ before }) => score(before) },
    { head: names.after.head, className: "number strong", cell: ({ after }) => score(after) },
    {
      head: "Δ",
      className: "number",
      cell: ({ before, after }) => difference(before === null || after === null ? null : after - before),
    },
  ], {
    className: "plain",
    caption:
      markup`<b>By organ.</b> Mean correlation within the held-out sections of each organ; in the mean of organs each counts once, however many sections it has.${
        few > 0 && ` ${amount(few, "section")} without a named organ ${few === 1 ? "is" : "are"} left out.`
      }`,
  });
}

/** Truth, penalty, panel and R2 of the probes, with what sees no network. */
export function protocols(evidence: ReadEvidence): Slot {
  const { before, after } = pairOf(evidence);
  const rows = [before, after, ...evidence.results?.encoders.filter(({ role }) => role === "other") ?? []].flatMap((
    one,
  ) =>
    [one?.probe, one?.benchmark].flatMap((probe) =>
      one === undefined || probe?.truth === undefined ? [] : [{ label: one.label, ...probe }]
    )
  );
  if (rows.length === 0) return "";
  return markup`<details class="config"><summary>How each number was made <small>truth, penalty, panel, R²</small></summary>${
    scroller(
      "Every probe",
      table(rows, [
        { head: "Predictor", cell: ({ label, protocol }) => markup`${label}<small>${protocol}</small>` },
        {
          head: "Truth",
          className: "wide",
          cell: ({ truth }) => truth,
        },
        { head: "Penalty", cell: ({ penalty }) => penalty ?? NONE },
        {
          head: "Panel",
          className: "wide",
          cell: ({ genes, panel }) => genes.length === 0 ? NONE : `${amount(genes.length, "gene")}, ${panel ?? ""}`,
        },
        { head: "r within", className: "number", cell: ({ pearson_per_slide }) => score(pearson_per_slide?.mean) },
        { head: "r together", className: "number", cell: ({ pearson }) => score(pearson.mean) },
        { head: "R²", className: "number", cell: ({ r2 }) => score(r2?.mean) },
      ], {
        className: "plain",
        caption:
          markup`<b>Every probe.</b> ln(1 + count) rises with the depth of a spot whatever tissue it is of; on counts per 10,000 depth is taken out, and what depth alone still scores stands among the rows. A training mean has no correlation; its R² is what a probe must exceed.`,
      }),
    )
  }</details>`;
}
