/**
 * What a reader must know: warnings of the run, notes of the evaluation, parts of the evidence that could not be read.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { donorKinds, sharedDonors } from "./evidence_view.ts";
import { geneRows } from "./probe_section.ts";
import { amount } from "./format.ts";
import { markup, type Slot } from "./html.ts";
import type { Warning } from "./run_evidence.ts";

/** A warning of training that names the sections whose donors are not known. */
const UNVERIFIED = "cannot tell the donors of";

/** All of them, each with its reason. */
export function notesOf(evidence: ReadEvidence): Warning[] {
  const { facts, results, errors } = evidence;
  const said = unique([...facts?.warnings ?? [], ...results?.notes ?? []]);
  const kinds = donorKinds(evidence);
  const shared = sharedDonors(evidence) ?? [];
  const undefinedGenes = geneRows(evidence).filter(({ before, after }) => before === null && after === null);
  return [
    ...(facts?.status === "interrupted"
      ? [{ text: "This run was interrupted", reason: "what is shown is of its last checkpoint" }]
      : []),
    ...(facts?.status === "failed"
      ? [{ text: "This run failed", reason: "what is shown is what it wrote until then" }]
      : []),
    ...(facts?.encoder?.random
      ? [{ text: "The encoder has random weights", reason: "its numbers are for trying only" }]
      : []),
    ...(facts?.data?.synthetic
      ? [{
        text: "The data are generated, not of patients",
        reason: "they show that training works, not how well it works on tissue",
      }]
      : []),
    ...(shared.length > 0
      ? [{
        text: kinds.some(({ kind }) => kind === "unseen")
          ? "Some held-out sections are of donors that training saw other sections of"
          : "Held-out sections are of donors that were trained on",
        reason: `${shared.join(", ")}; such sections say nothing about new donors`,
      }]
      : []),
    ...(kinds.some(({ kind }) => kind === "unknown") && !said.some(({ text }) => text.startsWith(UNVERIFIED))
      ? [{
        text: "Donors are not all named",
        reason: "whether training saw other sections of a held-out donor is not known; name them in metadata/*.json",
      }]
      : []),
    ...said,
    ...(undefinedGenes.length > 0 && results?.notes === undefined
      ? [{
        text: `${amount(undefinedGenes.length, "gene")} without a correlation`,
        reason: undefinedGenes.map(({ gene, reason }) => `${gene}: ${reason}`).slice(0, 6).join("; "),
      }]
      : []),
    ...errors.map((error) => ({ text: error.message })),
  ];
}

/** Warnings, each once. */
function unique(warnings: readonly Warning[]): Warning[] {
  return [...new Map(warnings.map((one) => [JSON.stringify([one.text, one.reason]), one])).values()];
}

/** The list; nothing where there is nothing to say. */
export function notes(evidence: ReadEvidence): Slot {
  const all = notesOf(evidence);
  if (all.length === 0) return "";
  return markup`<aside class="notes" aria-labelledby="notes-title"><h2 id="notes-title">Keep in mind</h2><ul>${
    all.map(({ text, reason }) => markup`<li><b>${text}</b>${reason !== undefined && markup`: ${reason}`}.</li>`)
  }</ul></aside>`;
}
