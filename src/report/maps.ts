/**
 * Measured against predicted expression over the image of the section, for genes to choose from. The page holds the very
 * numbers of the prediction files, as f32.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { pearson } from "./evidence_view.ts";
import { VIRIDIS, viridis } from "./colour.ts";
import { plain, score, whole } from "./format.ts";
import { base64, dataBlock, type Markup, markup } from "./html.ts";
import { frameOf, imageIn, MAP_WIDTH, type MapImage, short } from "./map_frame.ts";
import { correlationMeans, geneRows } from "./probe_section.ts";
import type { SampleMap } from "./run_evidence.ts";
import { quantile } from "./scale.ts";
import { attributes } from "./svg.ts";
import { absent, figure, section } from "./html_table.ts";

/** Bytes of expression that the page holds at most; beyond, fewer genes are offered. */
const MOST_BYTES = 1_200_000;
/** Spots of a section that are drawn at most; beyond, every second, third … is. */
const MOST_SPOTS = 4000;
/** Longer side of the image, pixels. */
const IMAGE = 900;

/** A section's map as the page has it. */
interface MapData {
  readonly sample: string;
  readonly donor: string;
  readonly width: number;
  readonly height: number;
  readonly radius: number;
  readonly image?: MapImage;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly barcodes: readonly string[];
  /** f32 in base64, `[genes, 2, spots]`: measured, then predicted. */
  readonly values: string;
  /** Pearson's correlation of each gene over all spots; null where one side is constant. */
  readonly r: readonly (number | null)[];
  /** Spots of the file, which may be more than are drawn. */
  readonly spots: number;
}

/** What the page's script draws maps from. */
export interface MapsData {
  readonly genes: readonly string[];
  /** Ends of the colour scale of each gene, the same for measured and predicted and all sections. */
  readonly range: readonly (readonly [number, number])[];
  readonly samples: readonly MapData[];
  readonly unit: string;
}

/** The genes all sections have, those that are predicted best first; the ends and the middle where not all fit. */
export function chosenGenes(evidence: Pick<ReadEvidence, "results" | "maps">): string[] {
  const maps = evidence.maps ?? [];
  const common = maps[0]?.genes.filter((gene) => maps.every(({ genes }) => genes.includes(gene))) ?? [];
  const known = geneRows(evidence).map(({ gene }) => gene);
  const place = new Map(known.map((gene, i) => [gene, i]));
  const order = [...new Set(common)].sort((a, b) => (place.get(a) ?? known.length) - (place.get(b) ?? known.length));
  const spots = maps.reduce((sum, { barcodes }) => sum + Math.ceil(barcodes.length / strideOf(barcodes.length)), 0);
  const fit = Math.max(6, Math.floor(MOST_BYTES / (8 * Math.max(1, spots))));
  if (order.length <= fit) return order;
  // Half from the best, a quarter from the middle, a quarter from the worst.
  const [best, middle] = [Math.ceil(fit / 2), Math.floor(fit / 4)];
  const worst = fit - best - middle;
  const from = best + Math.floor((order.length - best - worst - middle) / 2);
  return [...order.slice(0, best), ...order.slice(from, from + middle), ...order.slice(order.length - worst)];
}

function strideOf(spots: number): number {
  return Math.max(1, Math.ceil(spots / MOST_SPOTS));
}

/** What the script draws from. */
export function mapsData(evidence: Pick<ReadEvidence, "results" | "maps">): MapsData {
  const maps = evidence.maps ?? [];
  const genes = chosenGenes(evidence);
  const range = genes.map((gene): readonly [number, number] => {
    const all = maps.flatMap((map) => {
      const g = map.genes.indexOf(gene);
      return [...columnOf(map.measured, map, g), ...columnOf(map.predicted, map, g)];
    });
    const [low, high] = [quantile(all, 0.01) ?? 0, quantile(all, 0.99) ?? 1];
    return low < high ? [low, high] : [low - 0.5, low + 0.5];
  });
  return { genes, range, unit: maps[0]?.unit ?? "", samples: maps.map((map) => mapData(map, genes)) };
}

function columnOf(values: Float32Array, { barcodes, genes }: SampleMap, g: number): Float32Array {
  return Float32Array.from({ length: barcodes.length }, (_, i) => values[i * genes.length + g]!);
}

function mapData(map: SampleMap, genes: readonly string[]): MapData {
  const { sample, donor, barcodes, spatial, thumbnail } = map;
  const stride = strideOf(barcodes.length);
  const shown = Array.from({ length: Math.ceil(barcodes.length / stride) }, (_, i) => i * stride);
  const { box, scale, radius } = frameOf(map);
  const image = thumbnail && imageIn(box, scale, thumbnail, IMAGE);
  const values = new Float32Array(genes.length * 2 * shown.length);
  const r = genes.map((gene, j) => {
    const g = map.genes.indexOf(gene);
    const [measured, predicted] = [columnOf(map.measured, map, g), columnOf(map.predicted, map, g)];
    for (const [k, i] of shown.entries()) {
      values[2 * j * shown.length + k] = measured[i]!;
      values[(2 * j + 1) * shown.length + k] = predicted[i]!;
    }
    return pearson(measured, predicted);
  });
  return {
    sample,
    donor: donor ?? "",
    width: MAP_WIDTH,
    height: Math.max(40, Math.round(box.height * scale)),
    radius,
    ...(image === undefined ? {} : { image }),
    x: shown.map((i) => short((spatial[2 * i]! - box.left) * scale)),
    y: shown.map((i) => short((spatial[2 * i + 1]! - box.top) * scale)),
    barcodes: shown.map((i) => barcodes[i]!),
    values: base64(new Uint8Array(values.buffer)),
    r,
    spots: barcodes.length,
  };
}

/** The section. */
export function maps(evidence: ReadEvidence): Markup {
  const id = "maps";
  const title = "Gene maps";
  if (evidence.maps === undefined) {
    return section({ id, title }, absent(evidence.missing.maps ?? "no maps were written"));
  }
  const data = mapsData(evidence);
  if (data.genes.length === 0 || data.samples.every(({ x }) => x.length === 0)) {
    return section({ id, title }, absent("the sections have no spots or no genes in common"));
  }
  const all = new Set(evidence.maps.flatMap(({ genes }) => genes)).size;
  const thinnedOut = data.samples.some(({ x, spots }) => x.length < spots);
  const predictedBy = evidence.maps[0]!.predicted_by;
  return section(
    { id, title },
    figure(
      {
        title: markup`<span id="map-title">${titleOf(data, 0, 0)}</span>`,
        caption:
          markup`Measured and predicted share one colour scale, which is the same for all sections (1st to 99th percentile of both). Predicted by ${predictedBy}, on sections that were not trained on. Beside the names of genes stands their r of the table above (${
            correlationMeans(evidence)
          }); in the title that of the section shown. ${
            data.genes.length < all &&
            `${data.genes.length} of ${all} genes are offered: the best, the middle and the worst predicted. `
          }${
            thinnedOut && "Not every spot is drawn; r is over all. "
          }Every number is in <code>evaluation/predictions/</code>.`,
        className: "maps",
      },
      controls(evidence, data),
      panels(data),
    ),
    dataBlock("data-maps", data),
  );
}

function titleOf({ genes, samples }: MapsData, s: number, g: number): string {
  const { sample, donor, r, spots } = samples[s]!;
  const text = r[g] === null || r[g] === undefined ? "r is not defined, one side is constant," : `r = ${score(r[g])}`;
  return `${genes[g]} on ${sample}${donor && ` (${donor})`}: ${text} in this section, over ${whole(spots)} spots.`;
}

function controls(evidence: Pick<ReadEvidence, "results">, { genes, samples }: MapsData): Markup {
  // The very numbers of the table of genes.
  const known = new Map(geneRows(evidence).map(({ gene, after, before }) => [gene, after ?? before]));
  return markup`<div class="controls" data-behaviour="maps"><label>Gene <select id="map-gene">${
    genes.map((gene, g) => markup`<option value="${g}">${gene} (r ${score(known.get(gene))})</option>`)
  }</select></label><span class="steps"><button type="button" id="map-before" aria-label="Previous gene">←</button><button type="button" id="map-next" aria-label="Next gene">→</button></span><label>Section <select id="map-sample">${
    samples.map(({ sample, donor }, s) =>
      markup`<option value="${s}">${sample}${donor && donor !== sample && ` (${donor})`}</option>`
    )
  }</select></label></div>`;
}

function panels(data: MapsData): Markup {
  const [first, range] = [data.samples[0]!, data.range[0]!];
  const values = new Float32Array(Uint8Array.from(atob(first.values), (sign) => sign.charCodeAt(0)).buffer);
  const n = first.x.length;
  const hasImage = data.samples.some(({ image }) => image !== undefined);
  const panel = (kind: "image" | "measured" | "predicted", name: string) => {
    const offset = kind === "predicted" ? n : 0;
    const spots = kind === "image" ? "" : first.x.map((cx, i) => {
      const value = values[offset + i]!;
      return markup`<circle${
        attributes({ cx, cy: first.y[i]!, r: first.radius, fill: colourOf(value, range), "data-i": String(i) })
      }/>`;
    });
    // Always there when any section has an image: the script fills it in.
    const image = hasImage && markup`<image${attributes({ ...first.image, preserveAspectRatio: "none" })}/>`;
    return markup`<div class="map ${kind}"><h3>${name}</h3><svg viewBox="0 0 ${first.width} ${first.height}" role="img" aria-label="${
      kind === "image" ? `Image of ${first.sample}` : `${name} ${data.genes[0]!} on ${first.sample}`
    }" data-map="${kind}">${image}<g>${spots}</g></svg></div>`;
  };
  return markup`<div class="map-panels">${hasImage && panel("image", "H&E")}${panel("measured", "Measured")}${
    panel("predicted", "Predicted")
  }</div>${colourBar("map", range, data.unit)}`;
}

/** Colour of a value; NaN is grey. */
function colourOf(value: number, [low, high]: readonly [number, number]): string {
  return Number.isNaN(value) ? "#9a9a9a" : viridis((value - low) / (high - low));
}

/** The colour scale with its ends. */
export function colourBar(id: string, [low, high]: readonly [number, number], unit: string): Markup {
  const stops = VIRIDIS.map((colour, i) =>
    markup`<stop offset="${(i / (VIRIDIS.length - 1)).toFixed(3)}" stop-color="${colour}"/>`
  );
  return markup`<div class="colour-bar" id="${id}-bar"><span id="${id}-low">${
    plain(low)
  }</span><svg viewBox="0 0 160 10" preserveAspectRatio="none" aria-hidden="true"><linearGradient id="${id}-gradient">${stops}</linearGradient><rect width="160" height="10" fill="url(#${id}-gradient)"/></svg><span id="${id}-high">${
    plain(high)
  }</span><span class="unit" id="${id}-unit">${unit}</span></div>`;
}
