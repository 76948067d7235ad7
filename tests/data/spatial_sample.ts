/** A small sample in HEST's layout with a slide, outlines and a table of every kind of column. */

import { disk, makeFolder } from "../../src/io/fs.ts";
import { tissueGeoJson } from "../../src/io/geojson.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { hestH5ad, writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { writeTiff } from "../../src/io/image/tiff_write.ts";
import { metadataJson } from "../../src/io/metadata.ts";
import { matrixOf } from "../../src/io/sparse.ts";

/** Extents of the slide, pixels. */
export const [WIDTH, HEIGHT] = [1300, 1100];
/** Corners of the tissue, closed. */
export const OUTLINE = {
  exterior: Float64Array.of(10, 20, 1200.5, 20, 1200.5, 1000.25, 10, 1000, 10, 20),
  holes: [Float64Array.of(100, 100, 150, 100, 150, 180, 100, 100)],
  tissueId: 0,
};

/** Colour of a pixel. */
export function pixel(x: number, y: number): [number, number, number] {
  return [(x * 7 + y) & 255, (x ^ y) & 255, (y * 3 + (x >> 3)) & 255];
}

/** Writes the sample `S1`. */
export async function writeSpatialSample(folder: string): Promise<void> {
  for (const name of ["st", "wsis", "metadata", "tissue_seg"]) makeFolder(`${folder}/${name}`);
  const rows = (top: number, count: number) => {
    const out = new Uint8Array(count * WIDTH * 3);
    for (let i = 0; i < count * WIDTH; i++) out.set(pixel(i % WIDTH, top + Math.floor(i / WIDTH)), 3 * i);
    return out;
  };
  writeTiff(disk, `${folder}/wsis/S1.tif`, { width: WIDTH, height: HEIGHT, pixelSize: 0.5, rows });
  const counts = matrixOf("X", 3, {
    indptr: Uint32Array.of(0, 2, 2, 3, 5),
    indices: Uint32Array.of(0, 2, 1, 0, 1),
    values: Float32Array.of(1, 300, 7, 2, 65536),
  });
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(`${folder}/st/S1.h5ad`, (file) => {
    const h5 = begin(file);
    const content = hestH5ad({
      barcodes: ["AAAC-1", "AAAG-1", "AACC-1", "ßß-1"],
      genes: ["ACTB", "C1orf53", "MT-CO1"],
      geneIds: ["ENSG1", "ENSG2", "ENSG3"],
      counts,
      arrayRow: Int32Array.of(0, 0, 1, 1),
      arrayCol: Int32Array.of(0, 2, 1, 3),
      spatial: Float64Array.of(200, 300.5, 400, 300.25, 300, 473.2, 500, 473.125),
      spotDiameter: 110,
      thumbnail: { width: 1, height: 1, rgb: Uint8Array.of(1, 2, 3), scale: 0.001 },
    });
    const kind = { codes: Int32Array.of(1, 0, -1, 1), categories: ["stroma", "tumour"] };
    const columns = { ...content.obs.columns, kind, share: Float64Array.of(0.5, 1 / 3, NaN, -1e-9), note: [..."abcd"] };
    writeH5ad(h5, { ...content, obs: { ...content.obs, columns }, layers: { twice: counts } });
    h5.close();
  });
  disk.write(`${folder}/tissue_seg/S1_contours.geojson`, tissueGeoJson([OUTLINE]));
  const said = {
    id: "S1",
    st_technology: "Visium",
    pixel_size_um_estimated: 0.5,
    spot_diameter: 55,
    inter_spot_dist: 100,
  };
  disk.write(`${folder}/metadata/S1.json`, metadataJson({ ...said, organ: "Breast", patient: null, nb_genes: 3 }));
}
