/**
 * Maps of a known field by the command `mil`: slides of tiles of which a disc tells the class, drawn over white slides at 0.8 of their
 * size. What is looked at: where colours change in the maps against where tiles end, colours against ranks, squares for QuPath
 * against the attention in the files. Appends a record to `bench/results/mil.jsonl`.
 *
 * ```sh
 * deno run -A bench/methods/mil/maps.ts [--folder DIR] [--dry]
 * ```
 *
 * @module
 */

import assert from "node:assert/strict";
import { Rng } from "../../../src/core/rng.ts";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { rocAuc } from "../../../src/eval/classification.ts";
import { spearman } from "../../../src/eval/correlation.ts";
import { disk } from "../../../src/io/fs.ts";
import { H5File } from "../../../src/io/hdf5/h5.ts";
import { decodeImage } from "../../../src/io/image/image.ts";
import { encodePng } from "../../../src/io/image/png_write.ts";
import { percentiles } from "../../../src/slides/score_map.ts";
import { commanded, record, workFolder } from "./command.ts";

const [COLUMNS, ROWS, SIDE, DIM, SLIDES] = [20, 15, 96, 8, 24];
const [WIDTH, HEIGHT] = [2000, 1500];
/** Of a map with its legend, whose long side is 1,600 px. */
const SCALE = 1600 / WIDTH;

const folder = workFolder();
const names = Array.from({ length: SLIDES }, (_, i) => `slide${String(i).padStart(2, "0")}`);
const corner = (row: number) => [SIDE * (row % COLUMNS), SIDE * Math.floor(row / COLUMNS)] as const;

/** Whether a tile lies in the disc of a slide. */
function inDisc(slide: number, row: number): boolean {
  const [x, y] = [row % COLUMNS, Math.floor(row / COLUMNS)];
  return Math.hypot(x - (4 + 3 * (slide % 5)), y - (4 + 2 * (slide % 4))) < 2.6;
}

async function writeSlides(): Promise<void> {
  Deno.mkdirSync(`${folder}/features`, { recursive: true });
  Deno.mkdirSync(`${folder}/slides`, { recursive: true });
  const white = encodePng({ width: WIDTH, height: HEIGHT, data: new Uint8Array(3 * WIDTH * HEIGHT).fill(255) });
  const lines = ["slide_id\tcase_id\tlabel\tfold_0"];
  for (const [i, name] of names.entries()) {
    const count = COLUMNS * ROWS;
    const x = new Rng(5, i).normals(count * DIM, 0.5);
    for (let row = 0; row < count; row++) if (i % 2 && inDisc(i, row)) x[row * DIM]! += 4;
    const coords = Int32Array.from({ length: 2 * count }, (_, k) => corner(k >> 1)[k % 2]!);
    const size = { level0_width: WIDTH, level0_height: HEIGHT };
    const coordsAttributes = { patch_size: SIDE, patch_size_level0: SIDE, ...size };
    const table = { count, dim: DIM, attributes: { encoder: "made" }, coords, coordsAttributes };
    await writeFeatures(disk, `${folder}/features/${name}.h5`, "h5", table, (from, to) => {
      return Float32Array.from(x.subarray(from * DIM, to * DIM));
    });
    disk.write(`${folder}/slides/${name}.png`, white);
    lines.push(`${name}\tcase_${name}\t${i % 2 ? "disc" : "none"}\t${i < SLIDES / 2 ? "train" : "test"}`);
  }
  disk.write(`${folder}/k=all.tsv`, lines.join("\n") + "\n");
  disk.write(`${folder}/config.yaml`, "task_col: label\nsample_col: case_id\n");
}

/** What a map shows of the attention in the file of its slide. */
async function look(run: string, name: string) {
  using file = await H5File.open(disk.open(`${run}/attention/${name}.h5`, "read"));
  const attention = file.read("attention") as Float32Array;
  const path = `${run}/attention_maps/${name}.png`;
  const { width, data } = await decodeImage(Deno.readFileSync(path), path);
  const warm = (x: number, y: number) => data[3 * (y * width + x)]! - data[3 * (y * width + x) + 2]!;
  const ranks = percentiles(attention);
  const middle = (row: number) => corner(row).map((at) => Math.round((at + SIDE / 2) * SCALE)) as [number, number];
  const centres = Array.from(ranks, (_, row) => warm(...middle(row)));
  // Where the colour changes between neighbours that differ, along their middles, across and down.
  let [edges, farthest] = [0, 0];
  for (let row = 0; row < ranks.length; row++) {
    for (const [axis, next] of [[0, row + 1], [1, row + COLUMNS]] as const) {
      if (next >= ranks.length || corner(next)[axis] !== corner(row)[axis] + SIDE) continue;
      if (Math.abs(ranks[next]! - ranks[row]!) < 0.2) continue;
      const from = middle(row);
      const at = (k: number) => axis === 0 ? warm(from[0] + k, from[1]) : warm(from[0], from[1] + k);
      let k = 0;
      while (at(k) === at(0)) k++;
      farthest = Math.max(farthest, Math.abs(from[axis] + k - corner(next)[axis] * SCALE));
      edges++;
    }
  }
  const text = Deno.readTextFileSync(`${run}/attention_maps/${name}.geojson`);
  return { attention, edges, farthest, ...squares(text, attention), ordered: spearman([...ranks], centres).value! };
}

/** Looks at squares as QuPath reads them: types, closed rings, measurements; their areas and attention added up. */
function squares(text: string, attention: Float32Array): { area: number; sum: number } {
  const found = JSON.parse(text);
  assert.deepEqual([found.type, found.features.length], ["FeatureCollection", attention.length]);
  let [area, sum] = [0, 0];
  for (const [row, { type, geometry, properties }] of found.features.entries()) {
    assert.deepEqual([type, geometry.type, properties.objectType], ["Feature", "Polygon", "tile"]);
    const [ring] = geometry.coordinates as [[number, number][]];
    assert.deepEqual([geometry.coordinates.length, ring.length, ring[0]], [1, 5, ring[4]]);
    assert.deepEqual(ring[0], [...corner(row)]);
    const { attention: own, attention_percentile: rank } = properties.measurements;
    assert.ok(own === attention[row] && rank > 0 && rank <= 1);
    for (let i = 0; i < 4; i++) area += (ring[i]![0] * ring[i + 1]![1] - ring[i + 1]![0] * ring[i]![1]) / 2;
    sum += own;
  }
  return { area, sum };
}

await writeSlides();
const out = `${folder}/out`;
const inputs = [
  "--features",
  `${folder}/features`,
  "--split",
  `${folder}/k=all.tsv`,
  "--task",
  `${folder}/config.yaml`,
];
const keys = ["hidden=16", "epochs=20", "lr=0.003", `slides=${folder}/slides`];
const args = ["mil", ...inputs, "--model", "gated", "--out", out, "--overwrite", ...keys];
const { command, seconds } = await commanded(args, folder);
const run = `${out}/runs/features/gated/fold_0/evaluation`;
const shown = [...Deno.readDirSync(`${run}/attention_maps`)].flatMap(({ name }) =>
  name.endsWith(".png") ? [name.slice(0, -4)] : []
);
assert.ok(shown.length >= 3, `${shown}`);
const found = await Promise.all(shown.toSorted().map(async (name) => ({ name, ...await look(run, name) })));
const area = COLUMNS * ROWS * SIDE ** 2;
await record({
  case: `maps of ${shown.length} slides of ${COLUMNS * ROWS} tiles of ${SIDE} px at ${SCALE}`,
  ...{ command, seconds, slides: found.map(({ name }) => name) },
  edges: found.reduce((sum, { edges }) => sum + edges, 0),
  largestEdgeError: Math.max(...found.map(({ farthest }) => farthest)),
  leastRankCorrelation: Math.min(...found.map(({ ordered }) => ordered)),
  areasExact: found.every((one) => one.area === area),
  largestSumError: Math.max(...found.map(({ sum }) => Math.abs(sum - 1))),
  attentionAuc: found.flatMap(({ name, attention }) => {
    const slide = names.indexOf(name);
    return slide % 2 ? [rocAuc(Array.from(attention, (_, row) => inDisc(slide, row)), [...attention])] : [];
  }),
});
