/**
 * What can be reached at all on generated data, and the acceptance checks.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { pairOf } from "./evidence_view.ts";
import { difference, NONE, score } from "./format.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import type { Acceptance, EncoderResult } from "./run_evidence.ts";
import { linear } from "./scale.ts";
import { drawing, stroke, symbol } from "./svg.ts";
import { section, table } from "./html_table.ts";

interface Row {
  readonly name: string;
  readonly kind: "oracle" | "calibration" | "before" | "after" | "other";
  readonly pearson: number | null;
  readonly visible: number | null;
  readonly recall: number | null;
  readonly note?: string;
}

const KIND: Readonly<Record<Row["kind"], string>> = {
  oracle: "knows the truth",
  calibration: "calibration",
  before: "this run",
  after: "this run",
  other: "this run",
};

/** The section; nothing where there is nothing to compare the two encoders with. */
export function calibration(evidence: ReadEvidence): Slot {
  const { references = [], checks: all = [] } = evidence.results ?? {};
  // A check that could not be decided is no answer.
  const checks = all.filter(({ passed }) => passed !== null);
  const rows = rowsOf(evidence);
  const alone = references.length === 0 && rows.every(({ kind }) => kind !== "other");
  if (alone && checks.length === 0) return "";
  return section(
    { id: "bounds", title: references.length > 0 ? "What can be reached" : "Beside other methods" },
    !alone && referenceTable(rows, references.length > 0),
    checks.length > 0 && checkTable(checks),
  );
}

/** References and this run's encoders, the best first. */
function rowsOf(evidence: ReadEvidence): Row[] {
  const { before, after } = pairOf(evidence);
  const others = evidence.results?.encoders.filter(({ role }) => role === "other") ?? [];
  const calibrated = (evidence.results?.references ?? []).length > 0;
  const truth = (after ?? before)?.probe?.truth;
  const own = [before, after, ...others].flatMap((encoder) =>
    encoder === undefined ? [] : [ownRow(encoder, calibrated, truth)]
  )
    .filter(({ kind, pearson, recall }) => kind !== "other" || pearson !== null || recall !== null);
  const known = (evidence.results?.references ?? []).map((one): Row => ({
    name: one.name,
    kind: one.kind,
    pearson: one.pearson,
    visible: one.pearson_visible ?? null,
    recall: one.recall_at_10 ?? null,
    ...(one.note === undefined ? {} : { note: one.note }),
  }));
  return [...known, ...own].sort((a, b) => (b.pearson ?? -2) - (a.pearson ?? -2));
}

/** @param calibrated Whether it stands beside calibration rows. @param truth What the headline predicts. */
function ownRow(
  { label, role, retrieval, note, ...scores }: EncoderResult,
  calibrated: boolean,
  truth: string | undefined,
): Row {
  // Calibration rows were measured by the benchmark's protocol; elsewhere the headline's orders the rows.
  const probe = calibrated ? scores.benchmark ?? scores.probe : scores.probe;
  const pearson = calibrated ? probe?.pearson : probe?.pearson_per_slide ?? probe?.pearson;
  const other = !calibrated && probe?.truth !== undefined && probe.truth !== truth ? `of ${probe.truth}` : undefined;
  const notes = [note, other].filter((text) => text !== undefined);
  const visible = probe?.genes.filter(({ group }) => group?.startsWith("visible")) ?? [];
  const values = visible.flatMap(({ pearson }) => pearson === null ? [] : [pearson]);
  // References have no joint space: theirs is retrieval through the probe.
  const ways = retrieval?.filter(({ direction }) => direction === "i2g") ?? [];
  const i2g = ways.find(({ space }) => /probe/.test(space)) ?? ways[0];
  return {
    name: label,
    kind: role,
    pearson: pearson?.mean ?? null,
    visible: values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length,
    recall: i2g?.recall.find(({ k }) => k === 10)?.value ?? null,
    ...(notes.length === 0 ? {} : { note: notes.join("; ") }),
  };
}

function referenceTable(rows: readonly Row[], known: boolean): Markup {
  const most = Math.max(0.1, ...rows.map(({ pearson }) => pearson ?? 0));
  const x = linear([0, most], [6, 194]);
  return table(rows, [
    {
      head: "Features",
      cell: ({ name, kind, note }) =>
        markup`<span class="${kind === "after" ? "strong" : ""}">${name}</span><small>${KIND[kind]}${
          note !== undefined && `; ${note}`
        }</small>`,
    },
    { head: "r", className: "number", cell: ({ pearson }) => score(pearson) },
    { head: markup`<span class="only-read">Drawing</span>`, className: "bar long", cell: (row) => bar(row, x) },
    ...(known ? [{ head: "r, visible genes", className: "number", cell: ({ visible }: Row) => score(visible) }] : []),
    { head: "Recall@10, image to gene", className: "number", cell: ({ recall }) => score(recall) },
  ], {
    className: "plain",
    caption: known
      ? markup`<b>Oracle, calibration and this run.</b> The data are generated, so the truth is known: an oracle probes the true fields instead of an image, and no image model can exceed the one that knows the visible fields. All rows but the image decoder’s are by HEST-Benchmark’s protocol, for calibration rows were measured so. ${NONE} means that the number is not given.`
      : markup`<b>All that was evaluated in this run,</b> on the same held-out spots and genes: r is that of the headline. ${NONE} means that the number is not given.`,
  });
}

function bar({ name, kind, pearson }: Row, x: ReturnType<typeof linear>): Slot {
  if (pearson === null) return "";
  const shape = kind === "oracle"
    ? "M0 -5L5 0L0 5L-5 0z"
    : kind === "calibration"
    ? "M-3.5 -3.5h7v7h-7z"
    : "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z";
  const className = kind === "oracle" ? "bound" : kind === "calibration" ? "dot other" : `dot ${kind}`;
  return drawing(
    { width: 200, height: 16, label: `${name}: ${score(pearson)}`, className: "chart mini" },
    stroke("guide", [x(0), 8], [x(pearson), 8]),
    symbol([x(pearson), 8], shape, { className }),
  );
}

function checkTable(checks: readonly Acceptance[]): Markup {
  const verdict = ({ passed }: Acceptance) =>
    passed ? markup`<span class="passed">✓ passed</span>` : markup`<span class="failed">✗ failed</span>`;
  return table(checks, [
    { head: "Check", cell: ({ name, note }) => markup`${name}${note !== undefined && markup`<small>${note}</small>`}` },
    { head: "Wanted", cell: ({ wanted }) => wanted },
    {
      head: "Found",
      className: "number",
      cell: ({ found, wanted }) => /[+\u2212-]/.test(wanted) ? difference(found) : score(found),
    },
    { head: "Verdict", cell: verdict },
  ], { className: "plain", caption: markup`<b>Checks that generated data allow,</b> by HEST-Benchmark’s protocol.` });
}
