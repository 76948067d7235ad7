/**
 * Data of the serial-section table: HER2ST sections as folders in HEST's layout with a wider field than one spot, and between
 * the spots of a section a dense grid of places whose expression is interpolated from them.
 *
 *   deno run -A scripts/her2st/data.ts --in her2st --out data/cache/her2st_dense [--grid 40]
 *
 * Patches are 112 px of 2 µm: 224 µm, the spot and half its distance to the next around it. A dense place lies on tissue and
 * within 140 µm of a spot; its expression is the mean of the spots' counts per ten thousand, weighted by a Gaussian of 100 µm,
 * as whole numbers of a total of about 100,000. Dense places of a section carry its name with `_dense`.
 */

import { parseArgs } from "node:util";
import { shrink } from "../../src/data/hest_sample.ts";
import { joinSection, type Section } from "../../src/data/convert/legacy_st.ts";
import { type Csr, csr, dense as denseMatrix, toCsr } from "../../src/data/matrix.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import { loadMatrix } from "../../src/data/sample.ts";
import { disk, openFile } from "../../src/io/fs.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { writePatches } from "../../src/io/patches_write.ts";
import type { RgbImage } from "../../src/io/image/rgb_image.ts";
import { matrixOf } from "../../src/io/sparse.ts";
import { readSpotCounts, readSpotSelection } from "../../src/io/spots_tsv.ts";

const { values } = parseArgs({
  options: {
    in: { type: "string", default: "her2st" },
    out: { type: "string", default: "data/cache/her2st_dense" },
    grid: { type: "string", default: "40" },
    sections: { type: "string", default: "C2,C3,C4,C5" },
    test: { type: "string", default: "C5" },
    genes: { type: "string", default: "1500" },
  },
});

/** µm a pixel of the patches, their side in pixels, µm between spots. */
const [PIXEL, SIDE, PITCH] = [2, 112, 200];
/** Widest distance of a dense place from a spot, and deviation of the weights, µm. */
const [REACH, SIGMA] = [140, 100];
/** Total of the counts of a dense place. */
const TOTAL = 1e5;

interface Places {
  readonly barcodes: string[];
  /** Centres, µm. */
  readonly xy: [number, number][];
  readonly rows: Int32Array;
  readonly cols: Int32Array;
  readonly counts: Csr;
}

/** Bright windows are no tissue. */
function onTissue({ data, width, height }: RgbImage, x: number, y: number): boolean {
  const [cx, cy, r] = [Math.round(x / PIXEL), Math.round(y / PIXEL), 14];
  let [dark, all] = [0, 0];
  for (let v = Math.max(0, cy - r); v < Math.min(height, cy + r); v += 2) {
    for (let u = Math.max(0, cx - r); u < Math.min(width, cx + r); u += 2) {
      const at = (v * width + u) * 3;
      dark += Number(data[at + 1]! < 205);
      all++;
    }
  }
  return all > 0 && dark > 0.3 * all;
}

/** Centres of the spots, µm. */
function centres({ spatial, pixels }: Section): [number, number][] {
  return Array.from(
    { length: spatial.length / 2 },
    (_, i) => [spatial[2 * i]! * pixels.size, spatial[2 * i + 1]! * pixels.size],
  );
}

function dense(section: Section, genes: number, counts: Float32Array, image: RgbImage, grid: number): Places {
  const spots = section.barcodes.length;
  const um = centres(section);
  const scaled = Float32Array.from(counts);
  for (let i = 0; i < spots; i++) {
    const row = scaled.subarray(i * genes, (i + 1) * genes);
    const sum = row.reduce((a, b) => a + b, 0);
    row.forEach((value, g) => row[g] = value / sum * TOTAL);
  }
  const [xs, ys] = [um.map(([x]) => x), um.map(([, y]) => y)];
  const [barcodes, xy]: [string[], [number, number][]] = [[], []];
  const [indptr, indices, data, at]: [number[], number[], number[], [number, number][]] = [[0], [], [], []];
  const [x0, y0] = [Math.min(...xs) - REACH, Math.min(...ys) - REACH];
  for (let r = 0; y0 + r * grid < Math.max(...ys) + REACH; r++) {
    for (let c = 0; x0 + c * grid < Math.max(...xs) + REACH; c++) {
      const [x, y] = [x0 + c * grid, y0 + r * grid];
      const squared = um.map(([u, v]) => (u - x) ** 2 + (v - y) ** 2);
      if (Math.min(...squared) > REACH ** 2 || !onTissue(image, x, y)) continue;
      const weights = squared.map((d) => Math.exp(-d / 2 / SIGMA ** 2));
      const total = weights.reduce((a, b) => a + b, 0);
      const mean = new Float64Array(genes);
      weights.forEach((w, i) => {
        if (w / total < 1e-4) return;
        for (let g = 0; g < genes; g++) mean[g]! += w / total * scaled[i * genes + g]!;
      });
      mean.forEach((value, g) => {
        const count = Math.round(value);
        if (count > 0) {
          indices.push(g);
          data.push(count);
        }
      });
      indptr.push(indices.length);
      at.push([r, c]);
      xy.push([x, y]);
      barcodes.push(`${String(r).padStart(4, "0")}x${String(c).padStart(4, "0")}`);
    }
  }
  return {
    barcodes,
    xy,
    rows: Int32Array.from(at, ([r]) => r),
    cols: Int32Array.from(at, ([, c]) => c),
    counts: csr(at.length, genes, indptr, indices, data),
  };
}

function cut({ data, width, height }: RgbImage, [x, y]: [number, number]): Uint8Array {
  const out = new Uint8Array(SIDE * SIDE * 3);
  const [left, top] = [Math.round(x / PIXEL) - SIDE / 2, Math.round(y / PIXEL) - SIDE / 2];
  for (let v = 0; v < SIDE; v++) {
    const row = Math.min(height - 1, Math.max(0, top + v));
    for (let u = 0; u < SIDE; u++) {
      const from = (row * width + Math.min(width - 1, Math.max(0, left + u))) * 3;
      out.set(data.subarray(from, from + 3), (v * SIDE + u) * 3);
    }
  }
  return out;
}

/** The image at exactly {@linkcode PIXEL} µm, from the one made small, by the nearest pixel. */
function resampled({ data, width, height }: RgbImage, scale: number): RgbImage {
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  const out = new Uint8Array(w * h * 3);
  for (let v = 0; v < h; v++) {
    for (let u = 0; u < w; u++) {
      const from = (Math.min(height - 1, Math.floor((v + 0.5) / scale)) * width +
        Math.min(width - 1, Math.floor((u + 0.5) / scale))) * 3;
      out.set(data.subarray(from, from + 3), (v * w + u) * 3);
    }
  }
  return { width: w, height: h, data: out };
}

async function write(
  id: string,
  places: Places,
  genes: readonly string[],
  image: RgbImage,
  slidePixel: number,
): Promise<void> {
  const spatial = Float64Array.from(places.xy.flatMap(([x, y]) => [x / slidePixel, y / slidePixel]));
  const side = Math.round(SIDE * PIXEL / slidePixel);
  const { indptr, indices, data } = places.counts;
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(`${values.out}/st/${id}.h5ad`, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, {
      obs: { index: places.barcodes, columns: { array_row: places.rows, array_col: places.cols } },
      var: { index: genes, columns: {} },
      x: matrixOf(id, genes.length, { indptr, indices, values: data }),
      obsm: { spatial: { shape: [places.barcodes.length, 2], values: spatial } },
    }, { gzip: 1 });
    h5.close();
  });
  await writePatches(disk, `${values.out}/patches/${id}.h5`, {
    generation: "current",
    size: SIDE,
    barcodes: places.barcodes,
    coords: BigInt64Array.from(spatial, (centre) => BigInt(Math.round(centre - side / 2))),
    sizeOnSlide: side,
    slidePixelSize: slidePixel,
    pixelSize: PIXEL,
    pixels: (put) => places.xy.forEach((xy, i) => put(i, cut(image, xy))),
  });
  disk.write(
    `${values.out}/metadata/${id}.json`,
    JSON.stringify({
      id,
      species: "Homo sapiens",
      organ: "Breast",
      st_technology: "Spatial Transcriptomics",
      patient: "HER2ST C",
      dataset_title: "HER2ST",
      pixel_size_um_estimated: slidePixel,
      inter_spot_dist: id.endsWith("_dense") ? Number(values.grid) : PITCH,
    }),
  );
}

/** Everything of a section but its images. */
async function readSection(id: string) {
  const counted = await readSpotCounts(await openFile(`${values.in}/counts/${id}.tsv.gz`));
  const selection = await readSpotSelection(await openFile(`${values.in}/spots/${id}_selection.tsv`));
  const slide = await openSlide(await openFile(`${values.in}/images/${id}.jpg`));
  const { width, height } = slide.levels[0]!;
  const section = joinSection(id, counted, selection, PITCH, { width, height });
  return { id, slide, section, genes: counted.genes, counts: loadMatrix(section.counts) };
}

/**
 * The genes whose ln(1 + counts per ten thousand) varies most over the spots to be trained on, of those that a tenth of the
 * spots show, in alphabetical order.
 */
function variable(sections: readonly { genes: readonly string[]; counts: Csr }[], most: number): string[] {
  const figures = new Map<string, { times: number; sum: number; squares: number }>();
  let spots = 0;
  for (const { genes, counts: { rows, indptr, indices, data } } of sections) {
    for (let i = 0; i < rows; i++) {
      const total = data.subarray(indptr[i], indptr[i + 1]).reduce((a, b) => a + b, 0);
      for (let k = indptr[i]!; k < indptr[i + 1]!; k++) {
        const gene = genes[indices[k]!]!;
        const value = Math.log1p(data[k]! / total * 1e4);
        const { times, sum, squares } = figures.get(gene) ?? { times: 0, sum: 0, squares: 0 };
        figures.set(gene, { times: times + 1, sum: sum + value, squares: squares + value * value });
      }
    }
    spots += rows;
  }
  return [...figures].filter(([, { times }]) => times > spots / 10)
    .map(([gene, { sum, squares }]) => [gene, squares / spots - (sum / spots) ** 2] as const)
    .sort((a, b) => b[1] - a[1]).slice(0, most).map(([gene]) => gene).sort();
}

for (const folder of ["st", "patches", "metadata"]) Deno.mkdirSync(`${values.out}/${folder}`, { recursive: true });
const sections = [];
for (const id of values.sections.split(",")) sections.push(await readSection(id));
const tested = values.test.split(",");
const kept = variable(sections.filter(({ id }) => !tested.includes(id)), Number(values.genes));
for (const { id, slide, section, genes, counts } of sections) {
  const { width, height } = slide.levels[0]!;
  const small = await shrink(slide, Math.round(Math.max(width, height) * section.pixels.size / PIXEL));
  const image = resampled(small, section.pixels.size / PIXEL / small.scale);
  const place = new Map(kept.map((gene, i) => [gene, i]));
  const columns = genes.map((gene) => place.get(gene) ?? -1);
  const full = new Float32Array(counts.rows * kept.length);
  for (let i = 0; i < counts.rows; i++) {
    for (let k = counts.indptr[i]!; k < counts.indptr[i + 1]!; k++) {
      const g = columns[counts.indices[k]!]!;
      if (g >= 0) full[i * kept.length + g] = counts.data[k]!;
    }
  }
  const spots: Places = {
    barcodes: [...section.barcodes],
    xy: centres(section),
    rows: section.arrayRow,
    cols: section.arrayCol,
    counts: toCsr(denseMatrix(counts.rows, kept.length, full)),
  };
  await write(id, spots, kept, image, section.pixels.size);
  if (tested.includes(id)) continue;
  const between = dense(section, kept.length, full, image, Number(values.grid));
  await write(`${id}_dense`, between, kept, image, section.pixels.size);
  console.error(
    `${id}: ${spots.barcodes.length} spots, ${between.barcodes.length} places between, ${kept.length} genes`,
  );
}
