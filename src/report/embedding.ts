/**
 * Features of patches in two dimensions, before and after, and how well a section can be told from them.
 *
 * @module
 */

import { KINDS, SYMBOLS } from "./colour.ts";
import type { ReadEvidence } from "./evidence_read.ts";
import { namesOf, pairOf } from "./evidence_view.ts";
import { amount, percent, score, whole } from "./format.ts";
import { dataBlock, type Markup, markup, type Slot } from "./html.ts";
import { colourBar } from "./maps.ts";
import type { EmbeddingMap } from "./run_evidence.ts";
import { extent, quantile } from "./scale.ts";
import { at, drawing } from "./svg.ts";
import { absent, figure, section } from "./html_table.ts";

/** Points that are drawn at most. */
const POINTS = 1600;
const FRAME = { left: 1, right: 359, top: 1, bottom: 269 } as const;

/** The section. */
export function embedding(evidence: ReadEvidence): Markup {
  const map = evidence.embedding;
  const content = map === undefined || map.panels.length === 0 || map.sample_index.length === 0
    ? absent(evidence.missing.embedding ?? "the map has no points")
    : mapFigure(map);
  return section({ id: "features", title: "Features and batch effect" }, content, batch(evidence));
}

function mapFigure(map: EmbeddingMap): Markup {
  const count = map.sample_index.length;
  const stride = Math.max(1, Math.ceil(count / POINTS));
  const shown = Array.from({ length: Math.ceil(count / stride) }, (_, i) => i * stride);
  const kinds = [...new Set(map.samples.map(({ sample, donor }) => donor ?? sample))];
  const kindOf = map.samples.map(({ sample, donor }) => kinds.indexOf(donor ?? sample));
  const genes = map.genes ?? [];
  const unnamed = map.samples.filter(({ donor }) => donor === undefined).length;
  const by = unnamed === map.samples.length ? "section" : "donor";
  return markup`${
    figure(
      {
        title: markup`${map.method} of patch features, coloured by <span id="embedding-by">${by}</span>.`,
        caption: markup`${amount(shown.length, "patch", "patches")}${
          stride > 1 && ` of ${whole(count)}, every ${ordinal(stride)}`
        }; each ${by} has a colour and a shape${
          unnamed === 0 || by === "section"
            ? ""
            : `, as has each of ${amount(unnamed, "section")} whose donor is not named`
        }. Clouds that part by ${by} show a batch effect; axes are in units of the features and have no meaning of their own.`,
        className: "embedding",
      },
      markup`<div class="controls" data-behaviour="embedding"><label>Colour by <select id="embedding-colour"><option value="">${by}</option>${
        genes.map(({ gene }, g) => markup`<option value="${g}">${gene}</option>`)
      }</select></label></div>`,
      symbolShapes(),
      markup`<div class="pair">${map.panels.map((panel) => cloud(panel, { shown, map, kindOf }))}</div>`,
      donorLegend(kinds),
      genes.length > 0 && markup`<div id="embedding-scale" hidden>${colourBar("embedding", [0, 1], "")}</div>`,
    )
  }${
    dataBlock("data-embedding", {
      by,
      kinds: shown.map((i) => kindOf[map.sample_index[i]!]! % KINDS.length),
      colours: KINDS,
      genes: genes.map(({ gene, values }) => ({
        gene,
        range: [quantile(values, 0.02) ?? 0, quantile(values, 0.98) ?? 1],
        values: shown.map((i) => Number(values[i]!.toPrecision(4))),
      })),
    })
  }`;
}

function ordinal(n: number): string {
  const ending = n % 10 === 2 && n % 100 !== 12
    ? "nd"
    : n % 10 === 3 && n % 100 !== 13
    ? "rd"
    : n % 10 === 1 && n % 100 !== 11
    ? "st"
    : "th";
  return `${n}${ending}`;
}

function symbolShapes(): Markup {
  return markup`<svg class="only-read" aria-hidden="true"><defs>${
    SYMBOLS.map((d, i) => markup`<path id="shape${i}" d="${d}"/>`)
  }</defs></svg>`;
}

function cloud(
  { label: name, x, y, explained }: EmbeddingMap["panels"][number],
  { shown, map, kindOf }: { shown: readonly number[]; map: EmbeddingMap; kindOf: readonly number[] },
): Markup {
  const [x0, x1] = extent(x) ?? [0, 1];
  const [y0, y1] = extent(y) ?? [0, 1];
  const [w, h] = [FRAME.right - FRAME.left - 12, FRAME.bottom - FRAME.top - 12];
  // Both axes in one unit.
  const scale = Math.min(w / Math.max(1e-12, x1 - x0), h / Math.max(1e-12, y1 - y0));
  const px = (value: number) => (FRAME.left + FRAME.right) / 2 + (value - (x0 + x1) / 2) * scale;
  const py = (value: number) => (FRAME.top + FRAME.bottom) / 2 - (value - (y0 + y1) / 2) * scale;
  const part = (k: number) => explained?.[k] === undefined ? "" : ` (${percent(explained[k], 0)} of variance)`;
  const drawn = drawing(
    { width: 360, height: FRAME.bottom + 1, label: `${map.method} of features, ${name}`, className: "chart cloud" },
    markup`<rect class="frame" x="${FRAME.left}" y="${FRAME.top}" width="${FRAME.right - FRAME.left}" height="${
      FRAME.bottom - FRAME.top
    }"/>`,
    markup`<g data-cloud="">${
      shown.map((i) => {
        const kind = kindOf[map.sample_index[i]!]!;
        return markup`<use href="#shape${kind % SYMBOLS.length}" x="${at(px(x[i]!))}" y="${
          at(py(y[i]!))
        }" fill="${KINDS[kind % KINDS.length]!}"/>`;
      })
    }</g>`,
  );
  return markup`<div><h3>${name}</h3>${drawn}<p class="axis-names"><span>→ component 1${
    part(0)
  }</span> <span>↑ component 2${part(1)}</span></p></div>`;
}

function donorLegend(kinds: readonly string[]): Markup {
  const most = 24;
  return markup`<ul class="legend" id="embedding-legend">${
    kinds.slice(0, most).map((kind, i) =>
      markup`<li class="entry"><svg viewBox="-6 -6 12 12" aria-hidden="true"><use href="#shape${
        i % SYMBOLS.length
      }" fill="${KINDS[i % KINDS.length]!}"/></svg>${kind}</li>`
    )
  }${
    kinds.length > most && markup`<li class="entry">and ${kinds.length - most} more, colours and shapes repeat</li>`
  }</ul>`;
}

/** The slide-identity probe in words. */
function batch(evidence: ReadEvidence): Slot {
  const pair = pairOf(evidence);
  const names = namesOf(evidence);
  const [before, after] = [pair.before?.slide_probe, pair.after?.slide_probe];
  const known = after ?? before;
  if (known === undefined) return absent("the section-identity probe was not run");
  const value = (one: typeof known | undefined) =>
    one === undefined
      ? "not measured"
      : one.accuracy === null
      ? `not defined (${one.reason ?? "no reason given"})`
      : score(one.accuracy);
  const verdict = typeof before?.accuracy !== "number" || typeof after?.accuracy !== "number"
    ? ""
    : after.accuracy < before.accuracy
    ? " The embedding separates sections less well after training."
    : after.accuracy > before.accuracy
    ? " The embedding separates sections better after training: part of what was learnt may be of the section, not of the tissue."
    : "";
  return markup`<p class="remark"><b>Section-identity probe.</b> A linear classifier names the section of a patch, of ${known.slides}, with accuracy ${
    value(before)
  } by the ${names.before.text} and <strong>${value(after)}</strong> by ${names.after.text}; guessing gives ${
    score(known.chance)
  }.${verdict}</p>`;
}
