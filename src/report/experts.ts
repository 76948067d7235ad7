/**
 * Experts: the table of controls, who is an expert of what, the clusters on the held-out sections, and how inertia falls with
 * the number of clusters.
 *
 * @module
 */

import { KINDS, SYMBOLS } from "./colour.ts";
import type { ReadEvidence } from "./evidence_read.ts";
import type { ComparedFeatures, ExpertCurve, ExpertSection, ExpertsEvidence } from "./experts_evidence.ts";
import { amount, difference, NONE, score, tickText, whole } from "./format.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import { figure, identifier, section, table } from "./html_table.ts";
import { frameOf, imageIn, MAP_WIDTH } from "./map_frame.ts";
import type { SampleMap } from "./run_evidence.ts";
import { linear } from "./scale.ts";
import { at, attributes, axes, drawing, line } from "./svg.ts";

/** Spots of a section that are drawn at most, and sections. */
const MOST = { spots: 3000, sections: 8 } as const;
/** Longer side of the image below them, pixels: half of that of the gene maps, which the page has too. */
const IMAGE = 450;
/** Radius of a symbol as it is defined. */
const SYMBOL = 3;
const CURVE = { left: 46, right: 350, top: 24, bottom: 206 } as const;

/** The section; nothing where a run has no experts. */
export function experts({ experts: found, maps: images = [] }: Pick<ReadEvidence, "experts" | "maps">): Slot {
  if (found === undefined) return "";
  return section(
    { id: "experts", title: "Experts" },
    controls(found),
    shares(found),
    found.sections.length > 0 && maps(found, images),
    found.curves.some(({ clusters }) => clusters.length > 1) && curves(found.curves),
    found.notes.length > 0 && markup`<ul class="remark">${found.notes.map((text) => markup`<li>${text}.</li>`)}</ul>`,
  );
}

function value({ pearson: { mean, low, high, reason } }: ComparedFeatures): Slot {
  if (mean === null) return markup`${NONE}<small>${reason ?? "not defined"}</small>`;
  return markup`${score(mean)}${
    low !== undefined && high !== undefined && markup`<small>${score(low)} to ${score(high)}</small>`
  }`;
}

function change({ difference: delta }: ComparedFeatures): Slot {
  if (delta === undefined) return NONE;
  const { mean, low, high, reason } = delta;
  return markup`${difference(mean)}<small>${
    low !== undefined && high !== undefined
      ? `${difference(low)} to ${difference(high)}`
      : `no interval: ${reason ?? "not known"}`
  }</small>`;
}

/** What the experts are compared with. */
function controls({ compared }: ExpertsEvidence): Slot {
  if (compared.length === 0) return "";
  return table(compared, [
    {
      head: "Features",
      cell: ({ label, note }) => markup`<span>${label}</span>${note && markup`<small>${note}</small>`}`,
    },
    { head: "Width", className: "number", label: "width", cell: ({ features }) => whole(features) },
    { head: "r within sections", className: "number", label: "r", cell: value },
    { head: "Difference", className: "number delta", label: "difference", cell: change },
  ], {
    caption:
      markup`<b>What the experts add.</b> A linear probe on each kind of features, on the same held-out spots; the difference is from the features that were given, paired by section. One expert for all and experts on a random partition were trained on the same pairs: without a lead over these the clusters add nothing.`,
  });
}

/** Who is an expert of what. */
function shares({ experts: all, temperature }: ExpertsEvidence): Markup {
  return table(all.map((one, e) => ({ ...one, e })), [
    { head: "Expert", cell: ({ name, e }) => markup`<span class="entry">${swatch(e)}${name}</span>` },
    { head: "Organs", cell: ({ organs }) => organs.map((organ, i) => markup`${i > 0 && ", "}${identifier(organ)}`) },
    { head: "Fine clusters", className: "number", label: "clusters", cell: ({ clusters }) => whole(clusters) },
    { head: "Training pairs", className: "number", label: "pairs", cell: ({ pairs }) => whole(pairs) },
    { head: "Held-out spots", className: "number", label: "held out", cell: ({ held }) => whole(held) },
  ], {
    caption:
      markup`<b>Experts.</b> Training pairs are of the expert of their cluster; held-out spots are routed by their distances to the centroids, at a temperature of ${
        String(temperature)
      }. Outputs of two experts have unrelated axes: only spots of one expert are to be compared.`,
  });
}

function swatch(e: number): Markup {
  return markup`<svg viewBox="-5 -5 10 10" width="10" height="10" aria-hidden="true">${mark(e, 0, 0)}</svg>`;
}

function mark(e: number, x: number, y: number, radius: number = SYMBOL): Markup {
  const d = SYMBOLS[Math.floor(e / KINDS.length) % SYMBOLS.length]!;
  const size = radius === SYMBOL ? "" : ` scale(${(radius / SYMBOL).toFixed(2)})`;
  return markup`<path d="${d}" transform="translate(${at(x)} ${at(y)})${size}" fill="${KINDS[e % KINDS.length]!}"/>`;
}

/** The expert of each spot. */
function maps({ sections, experts: all }: ExpertsEvidence, images: readonly SampleMap[]): Markup {
  const shown = sections.slice(0, MOST.sections);
  const thinned = sections.some(({ x }) => x.length > MOST.spots);
  return figure(
    {
      title: "Experts on held-out sections.",
      caption:
        markup`The expert with the greatest weight of each spot, over the image of the section where the run has one, in the colours${
          all.length > KINDS.length && " and shapes"
        } of the table. ${
          shown.length < sections.length && `${shown.length} of ${sections.length} sections are drawn. `
        }${thinned && "Not every spot is drawn."}`,
      className: "maps",
    },
    markup`<div class="map-panels">${
      shown.map((one) => sectionMap(one, images.find(({ sample }) => sample === one.sample)))
    }</div>`,
  );
}

/** @param known The section's map of genes, which has its image. */
function sectionMap({ sample, donor, x, y, expert, outside }: ExpertSection, known: SampleMap | undefined): Markup {
  const spatial = Float64Array.from({ length: 2 * x.length }, (_, i) => (i % 2 === 0 ? x : y)[i >> 1]!);
  const { spot_diameter, thumbnail } = known ?? {};
  const { box, scale, radius } = frameOf({ spatial, ...(spot_diameter !== undefined && { spot_diameter }) });
  const image = thumbnail && imageIn(box, scale, thumbnail, IMAGE);
  const stride = Math.max(1, Math.ceil(x.length / MOST.spots));
  const spots = Array.from({ length: Math.ceil(x.length / stride) }, (_, i) => i * stride);
  return markup`<div class="map routed"><h3>${identifier(sample)}${donor && ` (${donor})`}</h3>${
    drawing(
      { width: MAP_WIDTH, height: Math.max(40, Math.round(box.height * scale)), label: `Experts on ${sample}` },
      image && markup`<image${attributes({ ...image, preserveAspectRatio: "none" })}/>`,
      spots.map((i) => mark(expert[i]!, (x[i]! - box.left) * scale, (y[i]! - box.top) * scale, radius)),
    )
  }<p class="axis-names">${amount(outside, "spot")} of ${whole(x.length)} out of distribution</p></div>`;
}

/** A number of each organ by the number of clusters. */
function curveDrawing(
  drawn: readonly ExpertCurve[],
  { label, yLabel, low, of }: { label: string; yLabel: string; low: number; of(curve: ExpertCurve): readonly number[] },
): Markup {
  const most = Math.max(...drawn.flatMap(({ clusters }) => clusters));
  const doublings = Math.max(1, Math.ceil(Math.log2(most)));
  const x = linear([0, doublings], [CURVE.left, CURVE.right], { ticks: Math.min(6, doublings) });
  const y = linear([low, 1], [CURVE.bottom, CURVE.top], { ticks: 5 });
  return markup`<div>${
    drawing(
      { width: 360, height: 242, label },
      axes(CURVE, { x, y, xLabel: "clusters", yLabel, formatX: (power) => tickText(Math.round(2 ** power)) }),
      drawn.map((curve, i) => {
        const values = of(curve);
        const points = curve.clusters.map((k, j) => [Math.log2(k), values[j]!] as const);
        return markup`<g stroke="${KINDS[i % KINDS.length]!}" fill="none">${line(points, x, y, "curve")}</g>${
          points.map(([px, py]) => mark(i, x(px), y(py)))
        }`;
      }),
    )
  }</div>`;
}

/** Inertia by the number of clusters, each organ's by its own largest, and silhouettes. */
function curves(all: readonly ExpertCurve[]): Markup {
  const drawn = all.filter(({ clusters }) => clusters.length > 1);
  const spread = drawn.filter(({ silhouette }) => silhouette !== undefined);
  const low = Math.min(0, ...spread.flatMap(({ silhouette }) => silhouette!));
  return figure(
    {
      title: `Inertia${spread.length > 0 ? " and silhouette" : ""} by the number of clusters.`,
      caption: markup`Sum of squared distances to the nearest centroid as a share of that with ${
        whole(drawn[0]!.clusters[0]!)
      } clusters; where the curve bends, more clusters divide what belongs together. ${
        spread.length > 0 &&
        "Beside it the mean silhouette: the higher, the nearer rows are to their own cluster than to the next one. "
      }${
        drawn.map(({ organ, rows }, i) =>
          markup`${i > 0 && ", "}<span class="entry">${swatch(i)}${identifier(organ)} (${whole(rows)} rows)</span>`
        )
      }`,
    },
    markup`<div class="pair">${
      curveDrawing(drawn, {
        ...{ label: "Inertia by the number of clusters", yLabel: "Inertia, share", low: 0 },
        of: ({ inertia }) => inertia.map((value) => value / inertia[0]!),
      })
    }${
      spread.length === drawn.length && curveDrawing(drawn, {
        ...{ label: "Silhouette by the number of clusters", yLabel: "Mean silhouette", low },
        of: ({ silhouette }) => silhouette!,
      })
    }</div>`,
  );
}
