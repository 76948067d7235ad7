/** Folders as Space Ranger makes them, from slides of the synthetic data set, in the dialects of its versions. */

import { gzipSync } from "node:zlib";
import { resizeSquare } from "../../src/data/image/resize.ts";
import { Fields } from "../../src/data/synth/fields.ts";
import { drawExpression, geneModel, GENES } from "../../src/data/synth/genes.ts";
import { Renderer } from "../../src/data/synth/render.ts";
import { layOut, type Slide, SYNTH_SEED } from "../../src/data/synth/slide.ts";
import { disk } from "../../src/io/fs.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { encodeJpeg } from "../../src/io/image/jpeg_write.ts";
import type { RgbImage } from "../../src/io/image/rgb_image.ts";
import { encodePng } from "../../src/io/image/png_write.ts";
import { writeTiff } from "../../src/io/image/tiff_write.ts";

/** A slide with its counts. */
export interface Made {
  readonly slide: Slide;
  readonly renderer: Renderer;
  readonly image: RgbImage;
  readonly barcodes: readonly string[];
  readonly genes: readonly string[];
  /** `[spots, genes]`. */
  readonly counts: Uint16Array;
}

/** Makes a slide of 6 rows of 6 spots at 0.5 µm a pixel. */
export function make(number: number): Made {
  const options = { seed: SYNTH_SEED, slide: number, rows: 6, cols: 12, mixedPixelSize: false, slidesPerDonor: 1 };
  const slide = layOut(options);
  const renderer = new Renderer(slide, new Fields(slide));
  const model = geneModel(SYNTH_SEED);
  const { counts } = drawExpression(slide, new Fields(slide), model);
  const { width, height } = slide;
  const data = Uint8Array.from(renderer.render(0, 0, width, height));
  const barcodes = slide.spots.map((_, i) =>
    `${"ACGT"[i & 3]}${"ACGT"[(i >> 2) & 3]}${"ACGT"[(i >> 4) & 3]}AAAAAAAAAAAAA-1`
  );
  return { slide, renderer, image: { width, height, data }, barcodes, genes: [...model.names], counts };
}

/** A feature-barcode matrix to write: rows are barcodes. */
export interface Counted {
  readonly barcodes: readonly string[];
  readonly names: readonly string[];
  readonly types: readonly string[];
  readonly rows: readonly (readonly number[])[];
}

/** The counts of a slide; rows of another order than the spots, one antibody, and one barcode without a place. */
export function countsOf({ barcodes, genes, counts }: Made): Counted {
  const order = barcodes.map((_, i) => i).reverse();
  const rows = order.map((i) => [...counts.subarray(i * GENES, (i + 1) * GENES), 7]);
  return {
    barcodes: [...order.map((i) => barcodes[i]!), "GGGGGGGGGGGGGGGG-1"],
    names: [...genes, "CD3"],
    types: [...genes.map(() => "Gene Expression"), "Antibody Capture"],
    rows: [...rows, rows[0]!],
  };
}

/** Writes counts as version 3's HDF5. */
export async function writeTenx(path: string, { barcodes, names, types, rows }: Counted): Promise<void> {
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    for (const group of ["/matrix", "/matrix/features"]) h5.group(group);
    h5.strings("/matrix/barcodes", barcodes);
    h5.strings("/matrix/features/name", names);
    h5.strings("/matrix/features/id", names.map((_, j) => `ENSG${90000000000 + j}`));
    h5.strings("/matrix/features/feature_type", types);
    h5.strings("/matrix/features/genome", types.map(() => "GRCh38"));
    h5.strings("/matrix/features/_all_tag_keys", ["genome"]);
    const indptr = [0];
    const [indices, values]: [number[], number[]] = [[], []];
    for (const row of rows) {
      row.forEach((value, j) => value !== 0 && (indices.push(j), values.push(value)));
      indptr.push(values.length);
    }
    h5.dataset("/matrix/shape", "i4", [2], Int32Array.of(names.length, barcodes.length));
    if (values.every((value) => value === (value | 0))) {
      h5.dataset("/matrix/data", "i4", [values.length], Int32Array.from(values));
    } else h5.dataset("/matrix/data", "f4", [values.length], Float32Array.from(values));
    h5.dataset("/matrix/indices", "i8", [indices.length], BigInt64Array.from(indices, BigInt));
    h5.dataset("/matrix/indptr", "i8", [indptr.length], BigInt64Array.from(indptr, BigInt));
    h5.close();
  });
}

/** Writes counts as a folder of packed text. */
export function writeMex(folder: string, { barcodes, names, types, rows }: Counted, prefix: string = ""): void {
  Deno.mkdirSync(folder, { recursive: true });
  const entries = rows.flatMap((row, i) =>
    row.flatMap((value, j) => value !== 0 ? [`${j + 1} ${i + 1} ${value}`] : [])
  );
  const field = rows.flat().every(Number.isInteger) ? "integer" : "real";
  const head = `%%MatrixMarket matrix coordinate ${field} general\n`;
  const packed = (name: string, text: string) => Deno.writeFileSync(`${folder}/${prefix}${name}.gz`, gzipSync(text));
  packed("matrix.mtx", `${head}${names.length} ${rows.length} ${entries.length}\n${entries.join("\n")}\n`);
  packed("features.tsv", names.map((name, j) => `ENSG${90000000000 + j}\t${name}\t${types[j]}\n`).join(""));
  packed("barcodes.tsv", `${barcodes.join("\n")}\n`);
}

/** Lines of positions: pixel row before column, a spot off the tissue, and one that was never counted. */
export function positionLines({ slide, barcodes }: Made): string {
  const lines = slide.spots.map(({ row, col, x, y }, i) =>
    [barcodes[i], i === 3 ? 0 : 1, row, col, y / slide.pixelSize, x / slide.pixelSize].join(",")
  );
  return `${[...lines, "TTTTTTTTTTTTTTTT-1,1,1,99,500,500"].join("\n")}\n`;
}

/** Header of positions from version 2.0 on. */
export const HEADER = "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\n";

/** The small image, `share` of the slide's size. */
export function smaller({ image: { width, height, data } }: Made, share: number): RgbImage {
  const side = Math.max(width, height);
  const square = new Uint8Array(side * side * 3);
  for (let y = 0; y < height; y++) square.set(data.subarray(y * width * 3, (y + 1) * width * 3), y * side * 3);
  const [w, h, s] = [Math.round(width * share), Math.round(height * share), Math.round(side * share)];
  const small = resizeSquare(square, side, s, "linear");
  const out = new Uint8Array(w * h * 3);
  for (let y = 0; y < h; y++) out.set(small.subarray(y * s * 3, (y * s + w) * 3), y * w * 3);
  return { width: w, height: h, data: out };
}

/** Scale factors: spots of 65 µm. */
export function scaleFactors({ slide }: Made, hires: number, more: Record<string, number> = {}): string {
  return JSON.stringify({
    spot_diameter_fullres: 65 / slide.pixelSize,
    fiducial_diameter_fullres: 165 / slide.pixelSize,
    tissue_hires_scalef: hires,
    tissue_lowres_scalef: hires / 3,
    ...more,
  });
}

/** Writes an image in the format of its name; TIFF as a pyramid. */
export function writeImage(path: string, image: RgbImage, pixelSize: number): void {
  const { width, height, data } = image;
  if (/\.jpe?g$/.test(path)) Deno.writeFileSync(path, encodeJpeg(image, 98));
  else if (path.endsWith(".png")) Deno.writeFileSync(path, encodePng(image));
  else {
    const rows = (top: number, count: number) => data.subarray(top * width * 3, (top + count) * width * 3);
    writeTiff(disk, path, { width, height, pixelSize, rows });
  }
}

/** Share of the slide's size that the small image has. */
export const HIRES = 0.4;

/** Writes the folder of version 2.0 and later: `outs` with HDF5 and positions with a header, the slide beside it as PNG. */
export async function writeOuts(made: Made, folder: string): Promise<void> {
  Deno.mkdirSync(`${folder}/outs/spatial`, { recursive: true });
  await writeTenx(`${folder}/outs/filtered_feature_bc_matrix.h5`, countsOf(made));
  Deno.writeTextFileSync(`${folder}/outs/spatial/tissue_positions.csv`, HEADER + positionLines(made));
  Deno.writeTextFileSync(`${folder}/outs/spatial/scalefactors_json.json`, scaleFactors(made, HIRES));
  writeImage(`${folder}/outs/spatial/tissue_hires_image.png`, smaller(made, HIRES), 0);
  writeImage(`${folder}/outs/spatial/tissue_lowres_image.png`, smaller(made, HIRES / 3), 0);
  writeImage(`${folder}/slide.png`, made.image, made.slide.pixelSize);
}
