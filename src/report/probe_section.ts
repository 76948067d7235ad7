/**
 * The linear probe gene by gene: before against after as a scatter, all numbers as a table that sorts, and by section.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { type Names, namesOf, pairOf } from "./evidence_view.ts";
import { amount, difference, NONE, score } from "./format.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import type { GeneScore, SlideScore } from "./run_evidence.ts";
import { extent, linear, type Scale } from "./scale.ts";
import { axes, drawing, label, stroke, symbol } from "./svg.ts";
import { absent, figure, identifier, scroller, section, table } from "./html_table.ts";

/** A gene with the scores of both encoders. */
export interface GeneRow {
  readonly gene: string;
  readonly group?: string;
  readonly before: number | null;
  readonly after: number | null;
  /** After less before. */
  readonly delta: number | null;
  readonly spearman: number | null;
  readonly r2: number | null;
  /** Why a score is not defined. */
  readonly reason?: string;
}

/** Genes of either encoder, those that gain most first. */
export function geneRows(evidence: Pick<ReadEvidence, "results">): GeneRow[] {
  const { before, after } = pairOf(evidence);
  const befores = new Map(before?.probe?.genes.map((one) => [one.gene, one]));
  const afters = new Map(after?.probe?.genes.map((one) => [one.gene, one]));
  const rows = [...new Set([...afters.keys(), ...befores.keys()])].map((gene): GeneRow => {
    const [a, b] = [befores.get(gene), afters.get(gene)];
    const [from, to] = [correlationOf(a), correlationOf(b)];
    const undefinedOne = from === null || to === null;
    const reason = b?.reason ?? a?.reason ?? (undefinedOne ? "no reason given" : undefined);
    const group = b?.group ?? a?.group;
    return {
      gene,
      before: from,
      after: to,
      delta: from === null || to === null ? null : to - from,
      spearman: (b ?? a)?.spearman ?? null,
      r2: (b ?? a)?.r2 ?? null,
      ...(group === undefined ? {} : { group }),
      ...(reason === undefined ? {} : { reason }),
    };
  });
  return rows.sort((a, b) => (b.after ?? -2) - (a.after ?? -2));
}

/** The correlation of a gene: within sections, averaged over them; of runs before 0.2 that of all spots together. */
function correlationOf(score: GeneScore | undefined): number | null {
  return (score?.pearson_per_slide === undefined ? score?.pearson : score.pearson_per_slide) ?? null;
}

/** What the correlation of a gene is, in words. */
export function correlationMeans(evidence: Pick<ReadEvidence, "results">): string {
  const { before, after } = pairOf(evidence);
  const within = (after ?? before)?.probe?.genes.some((gene) => gene.pearson_per_slide !== undefined) ?? true;
  return within ? "r within sections, mean over sections" : "r over the spots of all sections together";
}

/** The section. */
export function probe(evidence: ReadEvidence): Markup {
  const rows = geneRows(evidence);
  const id = "genes";
  const title = "Gene by gene";
  if (rows.length === 0) return section({ id, title }, absent(evidence.missing.results ?? "no probe was run"));
  const { before, after } = pairOf(evidence);
  const names = namesOf(evidence);
  const paired = rows.flatMap(({ delta }) => delta === null ? [] : [delta]);
  const better = paired.filter((delta) => delta > 0).length;
  const protocol = (after ?? before)?.probe?.protocol;
  return section(
    { id, title },
    markup`<div class="split">${
      figure(
        {
          title: "Probe correlation of each gene, before and after.",
          caption: markup`${
            paired.length > 0 &&
            `${amount(better, "gene")} of ${paired.length} ${
              better === 1 ? "lies" : "lie"
            } above the diagonal: ${names.after.text}’s features predict them better. `
          }${correlationMeans(evidence)}. ${groups(rows).length > 1 && "Symbols tell kinds of genes apart. "}${
            protocol !== undefined && `Protocol ${protocol}${truthOf(evidence)}.`
          }`,
          className: "square",
        },
        scatter(rows, names),
      )
    }${scroller("Scores of genes", geneTable(rows, correlationMeans(evidence), names), "tall")}</div>`,
    slides(before?.probe?.slides, after?.probe?.slides, { truth: truthOf(evidence), names }),
  );
}

function groups(rows: readonly GeneRow[]): string[] {
  return [...new Set(rows.flatMap(({ group }) => group === undefined ? [] : [group]))];
}

const FRAME = { left: 40, right: 350, top: 22, bottom: 332 } as const;
const SHAPES = [
  "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
  "M-3.6 -3.6h7.2v7.2h-7.2z",
  "M0 -4.8L4.4 3.2H-4.4z",
  "M0 -5L4.6 0L0 5L-4.6 0z",
];

function scatter(rows: readonly GeneRow[], names: Names): Markup {
  const known = rows.filter((row) =>
    row.before !== null && row.after !== null
  ) as (GeneRow & { before: number; after: number })[];
  const [low, high] = extent(known.flatMap(({ before, after }) => [before, after])) ?? [0, 1];
  const domain = [Math.min(0, low), Math.max(high, 0.1)] as const;
  const x = linear(domain, [FRAME.left, FRAME.right], { ticks: 5, nice: true });
  const y = linear(domain, [FRAME.bottom, FRAME.top], { ticks: 5, nice: true });
  const kinds = groups(rows);
  const kindOf = ({ group }: GeneRow) => Math.max(0, kinds.indexOf(group ?? "")) % SHAPES.length;
  const end = x.domain[1];
  const begin = x.domain[0];
  return drawing(
    {
      width: 360,
      height: 366,
      label:
        `Scatter of ${known.length} genes, correlation with the ${names.before.text} across, with ${names.after.text} upwards`,
    },
    axes(FRAME, { x, y, xLabel: `r, ${names.before.text}`, yLabel: `r, ${names.after.text}` }),
    stroke("diagonal", [x(begin), y(begin)], [x(end), y(end)]),
    known.map((row) =>
      symbol([x(row.before), y(row.after)], SHAPES[kindOf(row)]!, {
        className: `gene k${kindOf(row)}`,
        tip: `${row.gene}: ${score(row.before)} → ${score(row.after)} (${difference(row.delta)})${
          row.group === undefined ? "" : `, ${row.group}`
        }`,
      })
    ),
    geneLabels(known, x, y),
    kinds.length > 1 && kinds.slice(0, 4).map((kind, i) => [
      symbol([FRAME.right - 118, FRAME.bottom - 14 - 15 * (kinds.length - 1 - i)], SHAPES[i]!, {
        className: `gene k${i}`,
      }),
      label(
        "tick",
        [FRAME.right - 108, FRAME.bottom - 10.5 - 15 * (kinds.length - 1 - i)],
        kind.length > 22 ? `${kind.slice(0, 21)}…` : kind,
      ),
    ]),
  );
}

/** Names of the genes that gain and lose most, where there is room beside them. */
function geneLabels(known: readonly (GeneRow & { before: number; after: number })[], x: Scale, y: Scale): Markup[] {
  const order = [...known].sort((a, b) => (b.after - b.before) - (a.after - a.before));
  const points = known.map(({ before, after }) => [x(before), y(after)] as const);
  const taken: (readonly [left: number, right: number, y: number])[] = [];
  return [...order.slice(0, 6), ...order.slice(6).slice(-4)].flatMap(({ gene, before, after }) => {
    const [px, py] = [x(before), y(after)];
    const width = 6.4 * gene.length;
    for (const side of ["name", "name end"]) {
      const [left, right] = side === "name" ? [px + 6, px + 8 + width] : [px - 8 - width, px - 6];
      const meets = points.some(([a, b]) => a > left - 4 && a < right + 4 && Math.abs(b - py) < 9) ||
        taken.some(([a, b, c]) => a < right && b > left && Math.abs(c - py) < 12);
      if (meets || left < FRAME.left || right > FRAME.right + 8) continue;
      taken.push([left, right, py]);
      return [label(side, [side === "name" ? px + 7 : px - 7, py + 3.5], gene)];
    }
    return [];
  });
}

/** What was predicted, behind the name of the protocol. */
function truthOf(evidence: Pick<ReadEvidence, "results">): string {
  const { before, after } = pairOf(evidence);
  const truth = (after ?? before)?.probe?.truth;
  return truth === undefined ? "" : `, truth ${truth}`;
}

function geneTable(rows: readonly GeneRow[], means: string, names: Names): Markup {
  const known = rows.flatMap(({ before, after }) => [before, after]);
  const [low, high] = extent(known) ?? [0, 1];
  const x = linear([Math.min(0, low), Math.max(0.1, high)], [5, 95]);
  const grouped = groups(rows).length > 0;
  return table(rows, [
    {
      head: "Gene",
      key: ({ gene }) => gene,
      cell: ({ gene, reason }) =>
        markup`<span class="${gene.length > 14 ? "gene-name long" : "gene-name"}">${gene}</span>${
          reason !== undefined && markup`<small>${reason}</small>`
        }`,
    },
    ...(grouped
      ? [{
        head: "Kind",
        key: ({ group }: GeneRow) => group ?? "",
        cell: ({ group }: GeneRow) => group ?? NONE,
        className: "wide",
      }]
      : []),
    { head: names.before.head, className: "number", key: (row) => row.before, cell: (row) => score(row.before) },
    { head: names.after.head, className: "number strong", key: (row) => row.after, cell: (row) => score(row.after) },
    {
      head: "Δ",
      title: `${names.after.head} less ${names.before.short}`,
      className: "number",
      key: (row) => row.delta,
      cell: (row) => difference(row.delta),
    },
    { head: markup`<span class="only-read">Drawing</span>`, className: "bar wide", cell: (row) => dumbbell(row, x) },
    {
      head: "ρ",
      title: `Spearman’s rank correlation, ${names.after.head}`,
      className: "number wide",
      key: (row) => row.spearman,
      cell: (row) => score(row.spearman),
    },
    {
      head: "R²",
      title: `Coefficient of determination, ${names.after.head}`,
      className: "number wide",
      key: (row) => row.r2,
      cell: (row) => score(row.r2),
    },
  ], {
    caption: markup`<b>Scores of ${
      amount(rows.length, "gene")
    } on held-out spots.</b> ${names.before.head} and ${names.after.text}: ${means}; ρ and R² are over all spots together. Δ is ${names.after.text} less ${names.before.short}; ρ and R² are ${names.after.text}’s. A head sorts.`,
    className: "scores",
    sortable: true,
  });
}

function dumbbell({ gene, before, after }: GeneRow, x: Scale): Slot {
  if (before === null && after === null) return "";
  const dot = (value: number | null, kind: string) =>
    value !== null &&
    symbol([x(value), 8], "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z", { className: `dot ${kind}` });
  return drawing(
    { width: 100, height: 16, label: `${gene}: ${score(before)} to ${score(after)}`, className: "chart mini" },
    stroke("zero", [x(0), 0], [x(0), 16]),
    before !== null && after !== null && stroke(after >= before ? "link" : "link worse", [x(before), 8], [x(after), 8]),
    dot(before, "before"),
    dot(after, "after"),
  );
}

function slides(
  before: readonly SlideScore[] = [],
  after: readonly SlideScore[] = [],
  { truth, names }: { truth: string; names: Names },
): Slot {
  const befores = new Map(before.map((one) => [one.sample, one]));
  const rows = after.length > 0 ? after : before;
  if (rows.length === 0) return "";
  const sections = table(rows, [
    {
      head: "Section",
      cell: ({ sample, reason }) =>
        markup`${identifier(sample)}${reason !== undefined && markup`<small>${reason}</small>`}`,
    },
    {
      head: "Donor",
      cell: ({ donor, seen }) =>
        markup`${identifier(donor ?? NONE)}${
          seen !== undefined && markup`<small>${seen ? "seen in training" : "never seen"}</small>`
        }${donor === undefined && markup`<small>not named</small>`}`,
    },
    { head: "Spots", className: "number", cell: ({ spots }) => spots },
    { head: names.before.head, className: "number", cell: ({ sample }) => score(befores.get(sample)?.pearson) },
    {
      head: names.after.head,
      className: "number strong",
      cell: ({ pearson }) => after.length > 0 ? score(pearson) : NONE,
    },
    {
      head: "Δ",
      className: "number",
      cell: ({ sample, pearson }) => {
        const from = befores.get(sample)?.pearson;
        return difference(after.length > 0 && typeof from === "number" && pearson !== null ? pearson - from : null);
      },
    },
  ], {
    className: "plain",
    caption:
      markup`<b>Mean correlation over genes within each held-out section${truth}.</b> Offsets between sections, which inflate correlations over all spots together, play no part here.`,
  });
  return scroller("Sections", sections);
}
