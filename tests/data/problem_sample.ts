/** A sample in HEST's layout with whatever is wrong about it. */

import { disk } from "../../src/io/fs.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { encode, type NewColumn, writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { matrixOf } from "../../src/io/sparse.ts";
import { writePatches } from "../../src/io/patches_write.ts";

/** What to write; all but the identifier has a default that is right. */
export interface Problem {
  readonly id: string;
  /** Spots by genes; 12 spots of 8 genes by default. */
  readonly counts?: readonly (readonly number[])[];
  readonly genes?: readonly string[];
  readonly geneColumns?: Readonly<Record<string, NewColumn>>;
  readonly barcodes?: readonly string[];
  /** Places on the array and on the slide; by default Visium's lattice at 0.5 µm a pixel. */
  readonly array?: (spot: number) => readonly [row: number, column: number];
  readonly place?: (spot: number) => readonly [x: number, y: number];
  readonly obs?: Readonly<Record<string, NewColumn>>;
  /** Added to the metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Stores counts as rows in full of 16 bits. */
  readonly dense16?: boolean;
  /** Spots with a patch in the order of the file, all by default; their side, and what is wrong with their places. */
  readonly patched?: readonly number[];
  readonly size?: number;
  readonly generation?: "current" | "v1";
  readonly swapped?: boolean;
  readonly slidePixelSize?: number;
  /** µm a pixel of the patches; by default what their place on the slide says. */
  readonly pixelSize?: number;
}

const COLUMNS = 4;

/** Row and column of a spot on Visium's array, four a row. */
export function arrayOf(spot: number): [row: number, column: number] {
  const row = Math.floor(spot / COLUMNS);
  return [row, 2 * (spot % COLUMNS) + row % 2];
}

/** Its centre at 0.5 µm a pixel. */
export function placeOf(spot: number): [x: number, y: number] {
  const [row, column] = arrayOf(spot);
  return [400 + 100 * column, 300 + 100 * Math.sqrt(3) * row];
}

/** Counts without zeros, of 12 spots and 8 genes. */
export function plainCounts(spots: number = 12, genes: number = 8): number[][] {
  return Array.from({ length: spots }, (_, i) => Array.from({ length: genes }, (_, g) => 1 + (7 * i + 5 * g) % 11));
}

/** Writes a sample. */
export async function writeProblem(folder: string, problem: Problem): Promise<void> {
  const { id, counts = plainCounts(), array = arrayOf, place = placeOf } = problem;
  const genes = problem.genes ?? counts[0]!.map((_, g) => `GENE${g}`);
  const barcodes = problem.barcodes ?? counts.map((_, i) => `${id}-${i}`);
  const spatial = Float64Array.from(counts.flatMap((_, i) => [...place(i)]));
  for (const name of ["st", "patches", "metadata"]) Deno.mkdirSync(`${folder}/${name}`, { recursive: true });
  const indptr = Uint32Array.from({ length: counts.length + 1 }, (_, i) => i * genes.length);
  const x = matrixOf("X", genes.length, {
    indptr,
    indices: Uint32Array.from({ length: counts.length * genes.length }, (_, k) => k % genes.length),
    values: Float32Array.from(counts.flat()),
  });
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(`${folder}/st/${id}.h5ad`, (file) => {
    const h5 = begin(file);
    const whole = (k: 0 | 1) => Int32Array.from(counts, (_, i) => array(i)[k]);
    writeH5ad(h5, {
      obs: { index: barcodes, columns: { array_row: whole(0), array_col: whole(1), ...problem.obs } },
      var: { index: genes, columns: problem.geneColumns ?? {} },
      x: problem.dense16 === true
        ? (h5, path) => {
          h5.dataset(path, "u2", [counts.length, genes.length], Uint16Array.from(counts.flat()));
          encode(h5, path, "array", "0.2.0");
        }
        : x,
      obsm: { spatial: { shape: [counts.length, 2], values: spatial } },
    });
    h5.close();
  });
  const { generation = "current", size = 8, slidePixelSize = 0.5 } = problem;
  const patched = problem.patched ?? counts.map((_, i) => i);
  const corner = (i: number): number[] => {
    const [cx, cy] = [spatial[2 * i]!, spatial[2 * i + 1]!];
    const pair = generation === "v1" ? [Math.trunc(cy), Math.trunc(cx)] : [Math.trunc(cx - 112), Math.trunc(cy - 112)];
    return problem.swapped === true ? pair.reverse() : pair;
  };
  await writePatches(disk, `${folder}/patches/${id}.h5`, {
    generation,
    size,
    barcodes: patched.map((i) => barcodes[i]!),
    coords: BigInt64Array.from(patched.flatMap(corner), BigInt),
    sizeOnSlide: 224,
    slidePixelSize,
    pixelSize: problem.pixelSize ?? slidePixelSize * 224 / size,
    pixels: (put) => patched.forEach((spot, i) => put(i, new Uint8Array(size * size * 3).fill(spot))),
  });
  const facts = {
    id,
    st_technology: "Visium",
    patient: id,
    dataset_title: "Problems",
    inter_spot_dist: 100,
    pixel_size_um_estimated: 0.5,
    ...problem.metadata,
  };
  disk.write(`${folder}/metadata/${id}.json`, JSON.stringify(facts));
}
