/**
 * What a run shows, in sentences that claim no more than its intervals and tell donors seen and unseen apart.
 *
 * @module
 */

import { classificationAbstract, classified } from "./classification.ts";
import { cohortAbstract } from "./cohort.ts";
import type { ReadEvidence } from "./evidence_read.ts";
import { type DonorKind, donorKinds, namesOf, samplesOf } from "./evidence_view.ts";
import { amount, difference, percent, score } from "./format.ts";
import { besideText, type Measure, measures } from "./headline.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import { probeSentences } from "./probes.ts";
import type { Difference } from "./run_evidence.ts";

/** What the run shows, in sentences. */
export function abstract(evidence: ReadEvidence): Markup {
  const classes = classified(evidence);
  if (classes !== undefined && evidence.results!.encoders.length === 0) return classificationAbstract(classes);
  if (evidence.cohort !== undefined && !evidence.results?.encoders.length) return cohortAbstract(evidence.cohort);
  const all = measures(evidence);
  const names = namesOf(evidence);
  const find = (key: string) => all.find((measure) => measure.key === key);
  const headline = evidence.results?.encoders.some(({ probe }) => probe?.truth !== undefined);
  const probe = find(headline ? "pearson_per_slide" : "pearson");
  const recall = find("recall_at_10_g2i") ?? find("recall_at_10_i2g");
  const sentences: Slot[] = [];
  if (probe !== undefined) {
    const what = headline ? "a mean correlation within sections of" : "a mean correlation of";
    sentences.push(
      markup`${whereFound(evidence)}${
        compare(
          probe,
          `a linear probe on ${names.after.text}’s features reaches ${what}`,
          `of the ${names.before.text}`,
        )
      }`,
    );
    const beside = headline ? besideText(evidence, ({ probe }) => probe?.pearson_per_slide) : "";
    if (beside !== "") sentences.push(` Without a network: ${beside}.`);
    const kinds = donorKinds(evidence);
    if (kinds.length > 1) sentences.push(kinds.map((kind) => markup` ${kindSentence(kind)}`));
  }
  if (recall !== undefined) {
    const chance = recall.chance === undefined ? "" : markup`; guessing gives ${score(recall.chance)}`;
    sentences.push(markup` ${compare(recall, `${recall.name} is`, `with the ${names.before.text}`, chance)}`);
  }
  if (sentences.length === 0 && evidence.probes !== undefined) sentences.push(...probeSentences(evidence.probes));
  if (sentences.length === 0) sentences.push("This run has losses but no evaluation on held-out sections yet.");
  return markup`<p class="abstract">${sentences}</p>`;
}

/** What the numbers of the first sentence are of: how many sections, of which donors. */
function whereFound(evidence: ReadEvidence): Slot {
  const test = samplesOf(evidence, "test");
  if (test.length === 0) return "On held-out sections, ";
  const kinds = donorKinds(evidence);
  const spots = amount(test.reduce((sum, sample) => sum + sample.spots, 0), "spot");
  const what = kinds.map(({ kind, donors }) =>
    kind === "unknown"
      ? "of donors that are not named"
      : kind === "unseen"
      ? `of ${amount(donors, "donor")} that training never saw`
      : `of ${amount(donors, "donor")} that training saw other sections of`
  );
  return `On ${amount(test.length, "held-out section")} ${what.join(" and ")} (${spots}), `;
}

function kindSentence({ kind, donors, sections, before, after }: DonorKind): Markup {
  const who = kind === "unseen"
    ? `On ${amount(donors, "donor")} never seen`
    : kind === "seen"
    ? `On ${amount(donors, "donor")} seen in other sections`
    : `On ${amount(sections, "section")} of donors that are not named`;
  return markup`${who} it is <strong>${score(after)}</strong>, against ${score(before)}.`;
}

/** A measure as a sentence that claims no more than its interval. */
function compare(
  { after, before, difference: delta }: Measure,
  begin: string,
  against: string,
  tail: Slot = "",
): Markup {
  if (after?.mean === undefined || after.mean === null) {
    return markup`${begin} a value that is not defined (${after?.reason ?? "not measured"}).`;
  }
  const value = markup`<strong>${score(after.mean)}</strong>`;
  if (before?.mean === undefined || before.mean === null) return markup`${begin} ${value}${tail}.`;
  const step = delta?.mean ?? after.mean - before.mean;
  const unsure = delta?.low !== undefined && delta.high !== undefined && delta.low <= 0 && delta.high >= 0;
  return markup`${begin} ${value}, against ${score(before.mean)} ${against} (${difference(step)}${interval(delta)}${
    unsure && ", which includes no difference"
  })${tail}.`;
}

function interval(delta: Difference | undefined): Slot {
  if (delta?.low === undefined || delta.high === undefined) {
    return delta?.reason === undefined ? "" : `; no interval: ${delta.reason}`;
  }
  return markup`, ${delta.level === undefined ? "interval" : `${percent(delta.level, 0)} interval`} ${
    difference(delta.low)
  } to ${difference(delta.high)}`;
}
