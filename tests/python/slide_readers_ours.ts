/**
 * Writes features of two slides, one without tissue, in TRIDENT's form and converts them, for `slide_readers.py`.
 *
 *     deno run -A tests/python/slide_readers_ours.ts DIR
 */

import { convertFeatures, evaManifest } from "../../src/embed/convert_features.ts";
import { writeFeatures } from "../../src/embed/formats.ts";
import { disk } from "../../src/io/fs.ts";
import { chooseTiles, layGrid } from "../../src/slides/grid.ts";
import { tileAttributes, writeTiles } from "../../src/slides/tree.ts";

const out = Deno.args[0]!;
for (const form of ["trident", "strict", "patches", "clam/h5_files", "clam/pt_files", "stamp", "npy", "eva"]) {
  Deno.mkdirSync(`${out}/${form}`, { recursive: true });
}
const dim = 8;
const slides: { name: string }[] = [];
for (const [name, width] of [["S1", 2000], ["S2 ü", 3000], ["empty", 0]] as const) {
  const slide = { name, levels: [{ width: Math.max(1, width), height: 1000, downsample: 1 }], um: 0.25 };
  const grid = layGrid(slide, { scale: "nominal", magnification: 20, patch: 256, overlap: 0 });
  const tiles = chooseTiles(slide, grid, width === 0 ? [] : undefined, { minTissue: 0.1 });
  const { count, coords } = tiles;
  const rows = Float32Array.from({ length: count * dim }, (_, i) => Math.sin(i));
  const coordsAttributes = tileAttributes(slide, grid, { um: 0.25, source: "flag", notes: [] }, "patches");
  await writeTiles(disk, `${out}/patches/${name}_patches.h5`, tiles, coordsAttributes);
  for (const strict of [false, true]) {
    await writeFeatures(disk, `${out}/${strict ? "strict" : "trident"}/${name}.h5`, "h5", {
      ...{ count, dim, coords, coordsAttributes, trident: { strict } },
      attributes: { name, savetodir: "features_uni_v2", encoder: "uni_v2" },
    }, (from, to) => rows.subarray(from * dim, to * dim));
  }
  for (const form of ["clam", "stamp", "npy", "eva"] as const) {
    await convertFeatures(disk, `${out}/trident/${name}.h5`, `${out}/${form}`, form);
  }
  slides.push({ name });
}
disk.write(`${out}/eva/manifest.csv`, evaManifest(slides));
