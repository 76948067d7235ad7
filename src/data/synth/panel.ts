/**
 * The gene panel of a synthetic data set, chosen as HEST-Benchmark chooses its 50 genes: expressed in a tenth of the spots of
 * every slide it looks at, no control, most variable by dispersion.
 *
 * @module
 */

import { isControl } from "../genes/genes.ts";
import { seuratGenes } from "../genes/hvg_seurat.ts";
import { dense, selectColumns } from "../matrix.ts";
import { log1p } from "../genes/normalise.ts";
import { Fields } from "./fields.ts";
import { drawExpression, type GeneModel, GENES } from "./genes.ts";
import type { Slide } from "./slide.ts";

/** Genes of a panel. */
export const PANEL_GENES = 50;
/** Part of a slide's spots in which a gene must be found. */
const EXPRESSED = 0.1;

/**
 * Numbers of the panel's genes, ascending; fewer where fewer are eligible.
 *
 * @param slides Counts of each slide that is looked at, `[spots, GENES]`.
 */
export function selectPanel(slides: readonly Uint16Array[], { names }: GeneModel): number[] {
  const eligible = names.flatMap((name, g) => !isControl(name) && slides.every((c) => isExpressed(c, g)) ? [g] : []);
  const all = new Float32Array(slides.reduce((sum, counts) => sum + counts.length, 0));
  let at = 0;
  for (const counts of slides) {
    all.set(counts, at);
    at += counts.length;
  }
  const matrix = selectColumns(log1p(dense(all.length / GENES, GENES, all)), eligible);
  const best = seuratGenes(matrix).order.subarray(0, PANEL_GENES);
  return Array.from(best, (column) => eligible[column]!).sort((a, b) => a - b);
}

function isExpressed(counts: Uint16Array, gene: number): boolean {
  const spots = counts.length / GENES;
  let found = 0;
  for (let at = gene; at < counts.length; at += GENES) if (counts[at]! > 0) found++;
  return found >= Math.ceil(EXPRESSED * spots);
}

/** The panel of slides that are drawn for it. */
export function panelOf(slides: readonly Slide[], model: GeneModel): number[] {
  return selectPanel(slides.map((slide) => drawExpression(slide, new Fields(slide), model).counts), model);
}
