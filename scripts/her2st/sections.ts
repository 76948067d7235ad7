/**
 * Sections of HER2ST as folders in HEST's layout with patches of a wider field than HEST's own: the spot and half its distance
 * to the next around it, 224 µm at 224 px by default.
 *
 *   deno run -A scripts/her2st/sections.ts --in her2st --out data/cache/her2st_public [--sections C2,C3] [--field 224] [--side 224]
 *
 * All genes of all sections that are named; a section that lacks one has no counts of it. `panel.txt` beside them holds the 50
 * genes that the table is of: those of most variance of ln(1 + counts per ten thousand) over the spots of `--panel`, of those that
 * more than a tenth of these spots show and all sections have.
 */

import { parseArgs } from "node:util";
import { joinSection } from "../../src/data/convert/legacy_st.ts";
import { resizeSquare } from "../../src/data/image/resize.ts";
import { openSlide, type Slide } from "../../src/data/image/slide.ts";
import { logNormalize } from "../../src/data/genes/normalise.ts";
import { dense, toCsr, visitRow } from "../../src/data/matrix.ts";
import { loadMatrix } from "../../src/data/sample.ts";
import { disk, openFile } from "../../src/io/fs.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { writePatches } from "../../src/io/patches_write.ts";
import { matrixOf } from "../../src/io/sparse.ts";
import { readSpotCounts, readSpotSelection } from "../../src/io/spots_tsv.ts";

const { values } = parseArgs({
  options: {
    in: { type: "string", default: "her2st" },
    out: { type: "string", default: "data/cache/her2st_public" },
    sections: { type: "string", default: "C2,C3,C4,C5" },
    field: { type: "string", default: "224" },
    side: { type: "string", default: "224" },
    panel: { type: "string", default: "C2,C3,C4" },
  },
});

/** µm across a patch and between spots, pixels of a patch. */
const [FIELD, PITCH, SIDE] = [Number(values.field), 200, Number(values.side)];

async function read(id: string) {
  const counted = await readSpotCounts(await openFile(`${values.in}/counts/${id}.tsv.gz`));
  const selection = await readSpotSelection(await openFile(`${values.in}/spots/${id}_selection.tsv`));
  const slide = await openSlide(await openFile(`${values.in}/images/${id}.jpg`));
  const section = joinSection(id, counted, selection, PITCH, slide.levels[0]!);
  return { id, slide, section, genes: counted.genes };
}

type Read = Awaited<ReturnType<typeof read>>;

/** Counts with a column for each of the genes. */
function countsOf({ id, genes, section }: Read, all: ReadonlyMap<string, number>) {
  const { rows, indptr, indices, data } = loadMatrix(section.counts);
  const full = new Float32Array(rows * all.size);
  for (let i = 0; i < rows; i++) {
    for (let k = indptr[i]!; k < indptr[i + 1]!; k++) full[i * all.size + all.get(genes[indices[k]!]!)!]! += data[k]!;
  }
  const csr = toCsr(dense(rows, all.size, full));
  return matrixOf(id, all.size, { indptr: csr.indptr, indices: csr.indices, values: csr.data });
}

/** The square around a centre; what lies beyond the picture repeats its edge. */
async function cut(slide: Slide, [x, y]: readonly [number, number], side: number): Promise<Uint8Array> {
  const { width, height } = slide.levels[0]!;
  const [left, top] = [Math.round(x - side / 2), Math.round(y - side / 2)];
  if (left < 0 || top < 0 || left + side > width || top + side > height) {
    throw new Error(`a patch at ${left}, ${top} of ${side} px leaves the picture`);
  }
  const { data } = await slide.read(0, left, top, side, side);
  return resizeSquare(data, side, SIDE, "linear");
}

async function write(read: Read, all: ReadonlyMap<string, number>): Promise<void> {
  const { id, slide, section: { barcodes, arrayRow, arrayCol, spatial, pixels } } = read;
  const side = Math.round(FIELD / pixels.size);
  const x = countsOf(read, all);
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(`${values.out}/st/${id}.h5ad`, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, {
      obs: { index: barcodes, columns: { array_row: arrayRow, array_col: arrayCol } },
      var: { index: [...all.keys()], columns: {} },
      x,
      obsm: { spatial: { shape: [barcodes.length, 2], values: spatial } },
    }, { gzip: 1 });
    h5.close();
  });
  await writePatches(disk, `${values.out}/patches/${id}.h5`, {
    generation: "current",
    size: SIDE,
    barcodes,
    coords: BigInt64Array.from(spatial, (centre) => BigInt(Math.round(centre - side / 2))),
    sizeOnSlide: side,
    slidePixelSize: pixels.size,
    pixelSize: FIELD / SIDE,
    async pixels(put) {
      for (let i = 0; i < barcodes.length; i++) {
        put(i, await cut(slide, [spatial[2 * i]!, spatial[2 * i + 1]!], side));
      }
    },
  });
  disk.write(
    `${values.out}/metadata/${id}.json`,
    JSON.stringify({
      id,
      species: "Homo sapiens",
      organ: "Breast",
      st_technology: "Spatial Transcriptomics",
      patient: `HER2ST ${id[0]}`,
      dataset_title: "HER2ST",
      pixel_size_um_estimated: pixels.size,
      inter_spot_dist: PITCH,
    }),
  );
  console.error(`${id}: ${barcodes.length} spots, ${all.size} genes, ${pixels.size.toFixed(3)} µm a pixel`);
}

/** The genes that vary most over the spots of some sections. */
function panelOf(chosen: readonly Read[], most: number): string[] {
  const figures = new Map<string, { times: number; sum: number; squares: number }>();
  let spots = 0;
  for (const { genes, section } of chosen) {
    const matrix = logNormalize(loadMatrix(section.counts));
    for (let i = 0; i < matrix.rows; i++) {
      visitRow(matrix, i, (g, value) => {
        if (value === 0) return;
        const { times, sum, squares } = figures.get(genes[g]!) ?? { times: 0, sum: 0, squares: 0 };
        figures.set(genes[g]!, { times: times + 1, sum: sum + value, squares: squares + value * value });
      });
    }
    spots += matrix.rows;
  }
  const measured = sections.map(({ genes }) => new Set(genes));
  return [...figures]
    .filter(([gene, { times }]) => times > spots / 10 && measured.every((genes) => genes.has(gene)))
    .map(([gene, { sum, squares }]) => [gene, squares / spots - (sum / spots) ** 2] as const)
    .sort((a, b) => b[1] - a[1]).slice(0, most).map(([gene]) => gene);
}

for (const folder of ["st", "patches", "metadata"]) Deno.mkdirSync(`${values.out}/${folder}`, { recursive: true });
const sections: Read[] = [];
for (const id of values.sections.split(",")) sections.push(await read(id));
const panel = panelOf(sections.filter(({ id }) => values.panel.split(",").includes(id)), 50);
disk.write(`${values.out}/panel.txt`, `${panel.join("\n")}\n`);
const names = [...new Set(sections.flatMap(({ genes }) => genes))].sort();
const all = new Map(names.map((name, i) => [name, i]));
for (const section of sections) await write(section, all);
