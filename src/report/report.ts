/**
 * The report of a run: one HTML file that needs no network, made from the run's folder alone.
 *
 * @module
 */

import { VERSION } from "../core/version.ts";
import { abstract } from "./abstract.ts";
import { calibration } from "./calibration.ts";
import { classification, classified } from "./classification.ts";
import { embedding } from "./embedding.ts";
import { type ReadEvidence, readEvidence } from "./evidence_read.ts";
import type { RunFolder } from "./evidence_write.ts";
import { duration } from "./format.ts";
import { experts } from "./experts.ts";
import { headline } from "./headline.ts";
import { base64, Markup, markup, type Slot } from "./html.ts";
import { losses } from "./losses.ts";
import { maps } from "./maps.ts";
import { cost, methods } from "./methods.ts";
import { notes } from "./notes.ts";
import css from "./page.css" with { type: "text" };
import js from "./page.js" with { type: "text" };
import { probe } from "./probe_section.ts";
import { retrieval } from "./retrieval.ts";
import { EVIDENCE } from "./run_evidence.ts";

/** What was written. */
export interface WrittenReport {
  /** Path of the page. */
  readonly path: string;
  readonly bytes: number;
  /** Parts of the evidence that are missing, with the reason. */
  readonly missing: ReadEvidence["missing"];
  /** Parts that are there but damaged. */
  readonly errors: readonly Error[];
  /** What was read without a checksum to compare it with. */
  readonly unchecked: readonly string[];
}

/**
 * Reads a run's evidence and writes `report.html` beside it.
 *
 * @throws {DataError} If the folder, its configuration or its metrics are missing.
 * @throws {FormatError} If the configuration or the metrics are damaged.
 */
export async function writeReport(run: Pick<RunFolder, "path" | "disk">): Promise<WrittenReport> {
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
    ...classified(evidence) === undefined || evidence.results!.encoders.length > 0 ? encoderSections(evidence) : [],
    ["experts", "Experts", experts(evidence)],
    ["classes", "Classification", classification(evidence)],
    ["training", "Training", losses(evidence)],
    ["time", "Time", cost(evidence)],
    ["methods", "Methods", methods(evidence)],
  ];
  const shown = sections.filter(([, , content]) => content !== "");
  const links = shown.map(([id, name]) => markup`<li><a href="#${id}">${name}</a></li>`);
  const policy = `default-src 'none'; img-src data:; style-src '${await hash(css)}'; script-src '${await hash(
    js,
  )}'; base-uri 'none'; form-action 'none'`;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="seal-webgpu ${VERSION}">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Markup(css)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the result</a>
<header class="masthead"><h1>${title}</h1>${abstract(evidence)}${factsLine(evidence)}</header>
<nav aria-label="Sections"><div><ul>${links}</ul><button type="button" id="theme" aria-label="Switch between light and dark" hidden>Dark</button></div></nav>
<main id="main">${shown[0]![2]}${notes(evidence)}${shown.slice(1).map(([, , content]) => content)}</main>
<footer><p>Made from the files of the run by seal-webgpu ${VERSION}; <code>deno task report RUN</code> makes it again. ${
    citation(evidence)
  }This page loads nothing from the network.</p></footer>
<div id="tip" role="status" hidden></div>
<script>${new Markup(js)}</script>
</body>
</html>
`.text;
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

/** Hash of a text as a content security policy names it. */
async function hash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `sha256-${base64(new Uint8Array(digest))}`;
}
