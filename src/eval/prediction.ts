/**
 * Predicted expression as an anndata file: X is the prediction, obs the patches by barcode, var the genes, `obsm/spatial` the
 * centres on the slide.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import {
  type AnndataTarget,
  encode,
  type NewArray,
  type NewColumn,
  type NewH5ad,
  type NewUns,
} from "../io/hdf5/h5ad_write.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";

/** Predictions of one sample or slide. */
export interface Prediction {
  readonly barcodes: readonly string[];
  readonly genes: readonly string[];
  /** `[barcodes, genes]`. */
  readonly values: Float32Array;
  /** Unit of the values. */
  readonly unit: string;
  /** Centres `[barcodes, 2]`, x then y, pixels of the slide's largest level; left out where they are not known. */
  readonly spatial?: Float64Array;
  /** More columns of obs. */
  readonly obs?: Readonly<Record<string, NewColumn>>;
  /** Training mean and deviation of the genes, for columns of var. */
  readonly statistics?: { readonly mean: Float64Array; readonly std: Float64Array };
  /** The slide made small, for plots over it. */
  readonly thumbnail?: RgbImage & { readonly scale: number };
  /** Diameter of a spot, or side of a cell of the grid, in level-0 pixels. */
  readonly spotDiameter?: number;
  /** Texts and numbers on where it comes from, to `uns/seal`. */
  readonly origin?: Readonly<Record<string, string | number>>;
}

/** Elements of a chunk of X. */
const CHUNK = 1 << 16;

/**
 * The content of the file.
 *
 * @throws {ShapeError} If extents disagree.
 */
export function predictionH5ad(prediction: Prediction): NewH5ad {
  const { barcodes, genes, values, spatial, obs = {}, statistics, origin = {} } = prediction;
  if (values.length !== barcodes.length * genes.length || (spatial && spatial.length !== 2 * barcodes.length)) {
    throw new ShapeError(
      `Cannot write a prediction: ${values.length} values and ${spatial?.length} coordinates of ` +
        `${barcodes.length} spots and ${genes.length} genes`,
    );
  }
  return {
    obs: { index: barcodes, columns: obs },
    var: {
      index: genes,
      columns: statistics ? { training_mean: statistics.mean, training_std: statistics.std } : {},
    },
    x: (h5, path) => writeX(h5, path, values, [barcodes.length, genes.length]),
    obsm: spatial ? { spatial: { shape: [barcodes.length, 2], values: spatial } } : {},
    uns: {
      seal: { unit: prediction.unit, software: `seal-webgpu ${VERSION}`, ...origin },
      ...(prediction.thumbnail ? { spatial: spatialUns(prediction) } : {}),
    },
  };
}

function writeX(
  h5: AnndataTarget,
  path: string,
  values: Float32Array,
  [rows, columns]: readonly [number, number],
): void {
  if (values.length === 0) h5.dataset(path, "f4", [rows, columns], values);
  else {
    const chunks = [Math.max(1, Math.min(rows, Math.floor(CHUNK / columns))), columns];
    h5.dataset(path, "f4", [rows, columns], values, { chunks, gzip: 4 });
  }
  encode(h5, path, "array", "0.2.0");
}

/** Where scanpy's and squidpy's plots look for the image. */
function spatialUns({ thumbnail, spotDiameter = 1 }: Prediction): { readonly [key: string]: NewUns } {
  const { width, height, data, scale } = thumbnail!;
  const real = (value: number): NewArray => ({ shape: [], values: Float64Array.of(value) });
  return {
    slide: {
      images: { hires: { shape: [height, width, 3], values: data } },
      scalefactors: { spot_diameter_fullres: real(spotDiameter), tissue_hires_scalef: real(scale) },
    },
  };
}
