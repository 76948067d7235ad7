/**
 * The report of a run: one HTML file that needs no network, made from the run's folder alone.
 *
 * @module
 */

import { VERSION } from "../core/version.ts";
import { abstract } from "./abstract.ts";
import { attention } from "./attention.ts";
import { calibration } from "./calibration.ts";
import { cohort } from "./cohort.ts";
import { classification, classified } from "./classification.ts";
import { embedding } from "./embedding.ts";
import { type ReadEvidence, readEvidence } from "./evidence_read.ts";
import type { RunFolder } from "./evidence_write.ts";
import { duration } from "./format.ts";
import { experts } from "./experts.ts";
import { isFolds, writeFolds } from "./folds.ts";
import { headline } from "./headline.ts";
import { markup, type Slot } from "./html.ts";
import { losses } from "./losses.ts";
import { maps } from "./maps.ts";
import { cost, methods } from "./methods.ts";
import { notes } from "./notes.ts";
import { pageOf } from "./page.ts";
import { probe } from "./probe_section.ts";
import type { WrittenReport } from "./written.ts";
import { probes } from "./probes.ts";
import { retrieval } from "./retrieval.ts";
import { EVIDENCE } from "./run_evidence.ts";
import { volumes } from "./volumes.ts";

/**
 * Reads a run's evidence and writes `report.html` beside it.
 *
 * @throws {DataError} If the folder, its configuration or its metrics are missing.
 * @throws {FormatError} If the configuration or the metrics are damaged.
 */
export async function writeReport(run: Pick<RunFolder, "path" | "disk">): Promise<WrittenReport> {
  if (isFolds(run)) return await writeFolds(run);
  const evidence = await readEvidence(run);
  const page = new TextEncoder().encode(await renderReport(evidence));
  const path = `${run.path}/${EVIDENCE.report}`;
  run.disk.write(path, page);
  return {
    path,
    bytes: page.length,
    missing: evidence.missing,
    errors: evidence.errors,
    unchecked: evidence.unchecked,
  };
}

/** The page of a run's evidence. The same evidence gives the same bytes. */
export async function renderReport(evidence: ReadEvidence): Promise<string> {
  const title = evidence.facts?.title ?? "Training run";
  const sections: (readonly [id: string, name: string, content: Slot])[] = [
    ...isJudged(evidence) && evidence.results!.encoders.length === 0 ? [] : encoderSections(evidence),
    ["experts", "Experts", experts(evidence)],
    ["probes", "Probes", probes(evidence)],
    ["volumes", "Volumes", volumes(evidence)],
    ["classes", "Classification", classification(evidence)],
    ["scores", "Scores", evidence.cohort === undefined ? "" : cohort(evidence.cohort)],
    ["attention", "Attention", attention(evidence)],
    ["training", "Training", losses(evidence)],
    ["time", "Time", cost(evidence)],
    ["methods", "Methods", methods(evidence)],
  ];
  return await pageOf({
    title,
    head: markup`${abstract(evidence)}${factsLine(evidence)}`,
    sections,
    behindFirst: notes(evidence),
    foot:
      markup`Made from the files of the run by seal-webgpu ${VERSION}; <code>deno task report RUN</code> makes it again. ${
        citation(evidence)
      }`,
  });
}

/** Whether cases or patients were judged, in place of encoders. */
function isJudged(evidence: ReadEvidence): boolean {
  const { results, cohort, probes, volumes } = evidence;
  const judged = [classified(evidence), cohort, probes, volumes].some((part) => part !== undefined);
  return results !== undefined && judged;
}

/** Sections on encoders before and after. */
function encoderSections(evidence: ReadEvidence): (readonly [id: string, name: string, content: Slot])[] {
  return [
    ["result", "Result", headline(evidence)],
    ["genes", "Genes", probe(evidence)],
    ["maps", "Maps", maps(evidence)],
    ["retrieval", "Retrieval", retrieval(evidence)],
    ["features", "Features", embedding(evidence)],
    ["bounds", evidence.results?.references?.length ? "Bounds" : "Others", calibration(evidence)],
  ];
}

/** Where the method is described. */
function citation({ facts }: ReadEvidence): Slot {
  const text = facts?.method?.citation;
  return text === undefined ? "" : `${text}. `;
}

function factsLine({ facts }: ReadEvidence): Slot {
  if (facts === undefined) return "";
  const { encoder, data, device, seconds, seed } = facts;
  const items: (readonly [string, string] | undefined)[] = [
    encoder && ["Encoder", encoder.name],
    data && ["Data", data.name],
    device && ["Device", `${device.name}${device.software ? ", software" : ""}`],
    seconds === undefined ? undefined : ["Took", duration(seconds)],
    seed === undefined ? undefined : ["Seed", String(seed)],
  ];
  return markup`<p class="facts">${
    items.map((item) => item !== undefined && markup`<span>${item[0]} <b>${item[1]}</b></span>`)
  }</p>`;
}
