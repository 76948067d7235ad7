/**
 * One synthetic sample as a user of HEST-1k meets it: the tables and facts its files hold.
 *
 * @module
 */

import type { NewColumn } from "../../io/hdf5/h5ad_write.ts";
import { type Matrix, matrixOf } from "../../io/sparse.ts";
import { type Generation, type Window, windows } from "./crop.ts";
import { Fields } from "./fields.ts";
import { barcodes, drawExpression, type Expression, type GeneModel, GENES } from "./genes.ts";
import { sampleId, type SynthPlan, type Trap } from "./plan.ts";
import { Renderer } from "./render.ts";
import { onTissue, type Ring, type Slide, STREAM, tissueRings } from "./slide.ts";

/** A sample before it is written. */
export interface SynthSample {
  readonly id: string;
  readonly slide: Slide;
  readonly renderer: Renderer;
  /** As drawn: truth, whatever the traps. */
  readonly expression: Expression;
  /** Counts as the file has them, `[spots, GENES]`. */
  readonly counts: Uint16Array;
  readonly barcodes: readonly string[];
  /** Names and further columns of the genes. */
  readonly genes: readonly string[];
  readonly geneColumns: Readonly<Record<string, NewColumn>>;
  readonly obsColumns: Readonly<Record<string, NewColumn>>;
  /** Centres of spots, `[spots, 2]`, x then y, level-0 pixels. */
  readonly spatial: Float64Array;
  readonly generation: Generation;
  /** Side of a patch in its own pixels. */
  readonly patchSize: number;
  /** Windows of the patches in the order of the file. */
  readonly windows: readonly Window[];
}

/** Makes a sample. */
export function makeSample(plan: SynthPlan, slide: Slide, model: GeneModel): SynthSample {
  const has = (trap: Trap) => plan.traps.includes(trap);
  const fields = new Fields(slide);
  const expression = drawExpression(slide, fields, model);
  const shift = plan.misalign / slide.pixelSize;
  const spatial = Float64Array.from(
    slide.spots.flatMap(({ x, y }) => [x / slide.pixelSize + shift, y / slide.pixelSize]),
  );
  const generation = plan.bench ? "v1" : "current";
  const patchSize = has("patch256") ? 256 : 224;
  const kept = windows(slide, generation, patchSize, spatial);
  const order = has("shuffle-patches") ? slide.random.permutation(kept.length, STREAM.shufflePatches) : undefined;
  const names = barcodes(slide).map((name, i) => has("mixed-barcode-len") && i % 3 === 1 ? `${name}0` : name);
  return {
    id: sampleId(slide),
    slide,
    renderer: new Renderer(slide, fields),
    expression,
    counts: has("permute-counts") ? permuted(slide, expression.counts) : expression.counts,
    barcodes: names,
    ...geneTable(plan, model),
    obsColumns: obsColumns(slide, spatial, has("bytes-cellid")),
    spatial,
    generation,
    patchSize,
    windows: order === undefined ? kept : Array.from(order, (i) => kept[i]!),
  };
}

function permuted({ random, spots }: Slide, counts: Uint16Array): Uint16Array {
  const out = new Uint16Array(counts.length);
  for (const [to, from] of random.permutation(spots.length, STREAM.permuteCounts).entries()) {
    out.set(counts.subarray(from * GENES, (from + 1) * GENES), to * GENES);
  }
  return out;
}

/** Names of the genes as the files have them. */
export function geneTable({ traps }: SynthPlan, { names }: GeneModel): Pick<SynthSample, "genes" | "geneColumns"> {
  const identifiers = names.map((_, g) => `ENSG${String(90000000000 + g)}`);
  const feature_types = names.map(() => "Gene Expression");
  if (traps.includes("ensembl")) return { genes: identifiers, geneColumns: { gene_name: names, feature_types } };
  const genes = traps.includes("dup-genes") ? [names[0]!, names[0]!, ...names.slice(2)] : names;
  return { genes, geneColumns: { gene_ids: identifiers, feature_types } };
}

function obsColumns({ spots }: Slide, spatial: Float64Array, cellIds: boolean): Record<string, NewColumn> {
  const whole = (value: (i: number) => number) => Int32Array.from(spots, (_, i) => value(i));
  return {
    in_tissue: whole(() => 1),
    array_row: whole((i) => spots[i]!.row),
    array_col: whole((i) => spots[i]!.col),
    pxl_col_in_fullres: Float64Array.from(spots, (_, i) => spatial[2 * i]!),
    pxl_row_in_fullres: Float64Array.from(spots, (_, i) => spatial[2 * i + 1]!),
    ...(cellIds ? { cell_id: spots.map((_, i) => `b'syn${String(i).padStart(5, "0")}-1'`) } : {}),
  };
}

/** Counts in compressed rows; `nan` puts a NaN in the place of the first. */
export function compressed(counts: Uint16Array, columns: number, nan: boolean): Matrix {
  const rows = counts.length / columns;
  const indptr = new Uint32Array(rows + 1);
  const stored = counts.reduce((n, c) => n + (c > 0 ? 1 : 0), 0);
  const values = new Float32Array(stored);
  const indices = new Uint32Array(stored);
  for (let i = 0, at = 0; i < rows; i++) {
    for (let g = 0; g < columns; g++) {
      const count = counts[i * columns + g]!;
      if (count === 0) continue;
      values[at] = count;
      indices[at++] = g;
    }
    indptr[i + 1] = at;
  }
  if (nan && stored > 0) values[0] = NaN;
  return matrixOf("counts", columns, { indptr, indices, values });
}

/** Facts of a sample, by the names HEST gives them. */
export type Metadata = Record<string, string | number | null>;

/** Facts of a sample as HEST's metadata have them. */
export function metadataOf(slide: Slide): Metadata {
  const { pixelSize, width, height, donor, spots } = slide;
  const id = sampleId(slide);
  return {
    dataset_title: "SYN",
    id,
    image_filename: `${id}.tif`,
    organ: "Synthetic",
    disease_state: "Healthy",
    oncotree_code: "SYN",
    species: "Homo sapiens",
    patient: `DONOR${donor}`,
    st_technology: "Visium",
    data_publication_date: null,
    license: "CC0-1.0",
    study_link: null,
    download_page_link1: null,
    inter_spot_dist: 100,
    spot_diameter: 55,
    spots_under_tissue: spots.filter(({ x, y }) => onTissue(slide, x, y)).length,
    preservation_method: null,
    nb_genes: GENES,
    treatment_comment: null,
    pixel_size_um_embedded: pixelSize,
    pixel_size_um_estimated: pixelSize,
    magnification: "40x",
    fullres_px_width: width,
    fullres_px_height: height,
    tissue: "Synthetic",
    disease_comment: null,
    subseries: null,
  };
}

/** Outline of the tissue as GeoJSON, level-0 pixels. */
export function tissueGeoJson(slide: Slide): unknown {
  const closed = (ring: Ring) => [...ring, ring[0]!];
  const { exterior, hole } = tissueRings(slide);
  // A ring around a hole runs the other way.
  const coordinates = [closed(exterior), ...(hole === undefined ? [] : [closed(hole.toReversed())])];
  return {
    type: "FeatureCollection",
    features: [{ type: "Feature", properties: { tissue_id: 0 }, geometry: { type: "Polygon", coordinates } }],
  };
}
