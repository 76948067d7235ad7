import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { disk } from "../../src/io/fs.ts";
import { writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { writePatches } from "../../src/io/patches_write.ts";
import { matrixOf } from "../../src/io/sparse.ts";
import { mix } from "../../src/data/image/stripes.ts";

/** A sample to be written: spots on a hexagonal array 100 pixels apart, hashed patches and counts. */
export interface SmallSample {
  readonly id: string;
  readonly genes: readonly string[];
  readonly rows?: number;
  readonly columns?: number;
  /** Count of a spot (by row of the table) and gene; hashed by default. */
  readonly count?: (spot: number, gene: string) => number;
  readonly patient?: string;
  readonly technology?: string;
  /** Spots that have a patch, in the order of the patch file; all by default, and none for `null`. */
  readonly patched?: readonly number[] | null;
  readonly size?: number;
  /** Pixels by which the recorded places of patches are off. */
  readonly off?: number;
  readonly metadata?: boolean;
  /** Layer that has the counts; `X` has their logarithms then. */
  readonly layer?: string;
}

/** What was written, for comparison. */
export interface Written {
  readonly barcodes: readonly string[];
  readonly arrayRow: number[];
  readonly arrayColumn: number[];
  /** `[spots, 2]`. */
  readonly spatial: Float64Array;
  readonly counts: number[][];
}

/** Bytes of the patch of a spot. */
export function patchBytes(id: string, spot: number, size: number): Uint8Array {
  const base = mix([...id].reduce((h, c) => mix((h ^ c.charCodeAt(0)) >>> 0), 7) + spot * 65_537 >>> 0);
  return Uint8Array.from({ length: size * size * 3 }, (_, i) => mix((base + i) >>> 0) & 255);
}

function hashedCount(id: string, spot: number, gene: string): number {
  const rate = 1 + mix([...gene].reduce((h, c) => mix((h ^ c.charCodeAt(0)) >>> 0), 1)) % 9;
  const u = mix(mix([...id + gene].reduce((h, c) => mix((h ^ c.charCodeAt(0)) >>> 0), 2)) + spot) / 2 ** 32;
  return Math.floor(rate * 4 * u * u);
}

/** Writes a sample into a folder of HEST's layout. */
export async function writeSmallSample(folder: string, sample: SmallSample): Promise<Written> {
  const { id, genes, rows = 4, columns = 6, size = 8, off = 0 } = sample;
  const places = Array.from({ length: rows * columns }, (_, i) => {
    const r = Math.floor(i / columns);
    return { r, c: 2 * (i % columns) + r % 2 };
  });
  const n = places.length;
  const spatial = Float64Array.from(places.flatMap(({ r, c }) => [200 + 50 * c, 200 + Math.round(86.6 * r)]));
  const barcodes = places.map((_, i) => `${id}-AC${i}`);
  const count = sample.count ?? ((spot, gene) => hashedCount(id, spot, gene));
  const counts = places.map((_, i) => genes.map((gene) => count(i, gene)));
  const table = (values: readonly number[]) =>
    matrixOf("X", genes.length, {
      indptr: Uint32Array.from({ length: n + 1 }, (_, i) => i * genes.length),
      indices: Uint32Array.from({ length: n * genes.length }, (_, k) => k % genes.length),
      values: Float32Array.from(values),
    });
  const x = table(counts.flat());
  for (const name of ["st", "patches", "metadata"]) Deno.mkdirSync(`${folder}/${name}`, { recursive: true });
  const begin = await H5Writer.prepare();
  const ints = (values: number[]) => Float64Array.from(values);
  disk.writeAnywhere(`${folder}/st/${id}.h5ad`, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, {
      obs: {
        index: barcodes,
        columns: { array_row: ints(places.map(({ r }) => r)), array_col: ints(places.map(({ c }) => c)) },
      },
      var: { index: genes, columns: {} },
      x: sample.layer === undefined ? x : table(counts.flat().map(Math.log1p)),
      layers: sample.layer === undefined ? {} : { [sample.layer]: x },
      obsm: { spatial: { shape: [n, 2], values: spatial } },
      uns: {},
    });
    h5.close();
  });
  const patched = sample.patched === undefined ? places.map((_, i) => i) : sample.patched;
  if (patched !== null) {
    await writePatches(disk, `${folder}/patches/${id}.h5`, {
      generation: "current",
      size,
      barcodes: patched.map((i) => barcodes[i] ?? `${id}-none${i}`),
      coords: BigInt64Array.from(
        patched.flatMap((i) => [0, 1].map((k) => BigInt((spatial[2 * i + k] ?? 0) - 40 + off))),
      ),
      sizeOnSlide: 80,
      slidePixelSize: 1,
      pixelSize: 80 / size,
      pixels: (put) => patched.forEach((spot, i) => put(i, patchBytes(id, spot, size))),
    });
  }
  const facts = {
    id,
    st_technology: sample.technology ?? "Visium",
    patient: sample.patient ?? id,
    dataset_title: "Small",
    pixel_size_um_estimated: 1,
  };
  if (sample.metadata !== false) disk.write(`${folder}/metadata/${id}.json`, JSON.stringify(facts));
  return {
    barcodes,
    arrayRow: places.map(({ r }) => r),
    arrayColumn: places.map(({ c }) => c),
    spatial,
    counts,
  };
}
