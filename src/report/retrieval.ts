/**
 * Retrieval: how often the right candidate is among the first, and what queries by gene expression found, with the patches.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { directionName, pairOf } from "./evidence_view.ts";
import { difference, NONE, rank, score, whole } from "./format.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import { imageAddress, shrink } from "./thumbnail.ts";
import {
  type Gallery,
  type GalleryPatch,
  type GalleryQuery,
  PROBE_SPACE,
  type RetrievalScores,
} from "./run_evidence.ts";
import { linear, type Scale } from "./scale.ts";
import { axes, drawing, label, line, symbol } from "./svg.ts";
import { absent, figure, section, table } from "./html_table.ts";

/** Longer side of a patch in the page, pixels. */
const PATCH = 192;

interface Row {
  readonly label: string;
  readonly role: "before" | "after" | "other";
  readonly scores: RetrievalScores;
}

/** The section. */
export function retrieval(evidence: ReadEvidence): Markup {
  const rows = rowsOf(evidence);
  const numbers = rows.length === 0
    ? absent(evidence.missing.results ?? "retrieval was not measured")
    : markup`<div class="split even">${
      figure(
        {
          title: "Recall at k.",
          caption:
            "The part of queries whose own counterpart is among the k best, k on a logarithmic scale. The dotted line is guessing.",
        },
        curves(rows),
      )
    }${scores(rows)}</div>`;
  // Queries are shown of a joint space alone.
  const joint = rows.length === 0 || rows.some(({ scores }) => scores.space !== PROBE_SPACE);
  const gallery = evidence.gallery === undefined
    ? joint && absent(evidence.missing.gallery ?? "no gallery was written")
    : galleryFigure(evidence.gallery);
  return section({ id: "retrieval", title: "Retrieval" }, numbers, gallery);
}

function rowsOf(evidence: ReadEvidence): Row[] {
  const { before, after } = pairOf(evidence);
  return [after, before].flatMap((encoder) =>
    encoder?.retrieval?.map((one) => ({ label: encoder.label, role: encoder.role, scores: one })) ?? []
  );
}

const FRAME = { left: 40, right: 350, top: 22, bottom: 192 } as const;

function curves(rows: readonly Row[]): Markup {
  const inScope = rows.filter(({ scores }) => scores.scope === rows[0]!.scores.scope);
  const ways = (["g2i", "i2g"] as const).map((way) => inScope.filter(({ scores }) => scores.direction === way));
  // The direction in which most can be compared.
  const shown = ways[1]!.length > ways[0]!.length ? ways[1]! : ways[0]!;
  const { direction } = shown[0]!.scores;
  const ks = shown.flatMap(({ scores }) => scores.recall.map(({ k }) => k));
  const ticks = [...new Set(ks)].sort((a, b) => a - b);
  const most = Math.max(2, ...ticks);
  const x = linear([0, Math.log(most)], [FRAME.left + 8, FRAME.right - 8]);
  const y = linear([0, 1], [FRAME.bottom, FRAME.top], { ticks: 4 });
  const place = (k: number) => Math.log(Math.max(1, k));
  const labelled = Object.assign((value: number) => x(value), { ...pickScale(x), ticks: ticks.map(place) });
  const gallery = shown[0]?.scores.gallery ?? 1;
  return drawing(
    { width: 360, height: 226, label: `Recall at k, ${directionName(direction)}` },
    axes(FRAME, {
      x: labelled,
      y,
      xLabel: "k",
      yLabel: `Recall, ${directionName(direction)}`,
      formatX: (value) => String(Math.round(Math.exp(value))),
    }),
    line(ticks.map((k) => [place(k), Math.min(1, k / gallery)] as const), x, y, "line chance"),
    shown.map((row, i) => {
      const other = shown.findIndex(({ role }) => role === row.role) < i;
      return curve(row, x, y, { i, kind: other ? `${row.role} other-space` : row.role });
    }),
  );
}

const DOT = "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z";

/** A line with its points, and its entry of the legend in the empty corner. */
function curve({ label: name, scores }: Row, x: Scale, y: Scale, { i, kind }: { i: number; kind: string }): Markup {
  const points = scores.recall.map(({ k, value }) => [Math.log(Math.max(1, k)), value] as const);
  const [left, top] = [FRAME.left + 14, FRAME.top + 12 + 16 * i];
  return markup`<g class="curve ${kind}">${line(points, x, y, "line")}${
    points.map(([px, py]) =>
      py !== null && symbol([x(px), y(py)], DOT, {
        className: `dot ${kind}`,
        tip: `${name}, recall@${Math.round(Math.exp(px))} ${score(py)}`,
      })
    )
  }<path class="line" d="M${left} ${top}h20"/>${symbol([left + 10, top], DOT, { className: `dot ${kind}` })}${
    label("name", [left + 26, top + 3.5], `${name}, ${scores.space}`)
  }</g>`;
}

function pickScale({ domain, range }: ReturnType<typeof linear>): Pick<ReturnType<typeof linear>, "domain" | "range"> {
  return { domain, range };
}

function scores(rows: readonly Row[]): Markup {
  const ks = [...new Set(rows.flatMap(({ scores }) => scores.recall.map(({ k }) => k)))].sort((a, b) => a - b);
  const ties = rows.reduce((sum, { scores }) => sum + (scores.ties ?? 0), 0);
  return table(rows, [
    {
      head: "Encoder",
      cell: ({ label, scores }) =>
        markup`${label}<small>${directionName(scores.direction)}</small><small>${scores.space}, ${scores.scope}${
          scores.reason !== undefined && `: ${scores.reason}`
        }</small>`,
    },
    ...ks.map((k) => ({
      head: `@${k}`,
      className: "number",
      cell: ({ scores }: Row) => {
        const found = scores.recall.find((one) => one.k === k);
        return markup`${score(found?.value)}<small>${score(Math.min(1, k / scores.gallery))}</small>`;
      },
    })),
    {
      head: "Median rank",
      className: "number",
      cell: ({ scores }) =>
        markup`${scores.median_rank === null ? NONE : rank(scores.median_rank)}<small>of ${
          whole(scores.gallery)
        }</small>`,
    },
  ], {
    className: "plain",
    caption: markup`<b>Recall, both ways.</b> Small: what guessing gives. ${whole(rows[0]!.scores.queries)} queries; ${
      ties === 0 ? "no query ties with another candidate" : `${whole(ties)} queries tie, ties counted for the query`
    }.`,
  });
}

function galleryFigure({ ranked_by, chosen, queries }: Gallery): Markup {
  const found = queries.filter(({ hits }) => hits.some(({ correct }) => correct)).length;
  const most = Math.max(0, ...queries.map(({ hits }) => hits.length));
  return figure(
    {
      title: "Patches found by gene expression.",
      caption:
        markup`Each query is the measured expression of one held-out spot. Left, framed: the patch at that spot, which the search does not see. Then the ${most} patches that rank first among the candidates, best first, with their similarity; the true one is ringed and marked. The true patch is among them for ${found} of ${queries.length} queries, chosen ${chosen}. Ranked by ${ranked_by}.`,
    },
    markup`<ol class="gallery">${queries.map(queryItem)}</ol>`,
  );
}

function queryItem(query: GalleryQuery): Markup {
  const genes = query.top_genes.map(({ gene, value }) => markup`<li>${gene} <span>${difference(value, 2)}</span></li>`);
  return markup`<li><div class="query-head"><p><b>${query.sample}</b> <code>${query.barcode}</code></p><p class="rank">true patch: rank <b>${
    whole(query.rank)
  }</b> of ${whole(query.gallery)}</p></div>${
    genes.length > 0 &&
    markup`<ul class="top-genes" aria-label="Genes that stand out, in standard deviations">${genes}</ul>`
  }<div class="patches">${patch(query, "own", "query’s own")}${
    query.hits.map((hit, i) =>
      patch(
        hit,
        hit.correct ? "hit true" : "hit",
        markup`${i + 1}<span aria-hidden="true"> · </span>${score(hit.score, 2)}${
          hit.correct && markup` <b>✓ true</b>`
        }`,
      )
    )
  }</div></li>`;
}

function patch(item: GalleryPatch, kind: string, text: Slot): Markup {
  const small = shrink(item.image, PATCH);
  return markup`<figure class="patch ${kind}"><img src="${
    imageAddress(small)
  }" width="${small.width}" height="${small.height}" alt="Patch ${item.barcode} of ${item.sample}"><figcaption>${text}</figcaption></figure>`;
}
