/**
 * Memory and time of `convert visium` on a capture area of Visium HD: 5,000,000 bins of 2 µm by 18,000 genes with 250,000,000
 * entries, packed with gzip as Space Ranger does, and a slide of 1 µm a pixel.
 *
 *     deno run -A bench/visium_hd.ts make DIR [bins] [genes] [entries of a bin]
 *     deno run -A bench/visium_hd.ts convert DIR [flags of convert visium]
 *
 * `convert` runs the command in a process of its own, says its time, its processor time and the most memory it had, and adds
 * them to bench/results/visium_hd.jsonl; its output, DIR/out, must not be there yet.
 *
 * @module
 */

import { main } from "../src/cli/main.ts";
import { cpuMs } from "../src/host/process.ts";
import { disk } from "../src/io/fs.ts";
import { H5Writer } from "../src/io/hdf5/h5_write.ts";
import { writeTiff } from "../src/io/image/tiff_write.ts";
import { ParquetWriter } from "../src/io/parquet_write.ts";
import { origin } from "./harness.ts";

/** Side of a bin, µm, which is of as many pixels; the margin around all bins, pixels. */
const BIN = 2;
const MARGIN = 100;
/** Bins that are written at once, and numbers of a chunk. */
const PART = 20_000;
const CHUNK = 1 << 18;

const digits = (n: number) => String(n).padStart(5, "0");

async function makeCounts(path: string, bins: number, side: number, genes: number, each: number): Promise<void> {
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    for (const group of ["/matrix", "/matrix/features"]) h5.group(group);
    const features = Array.from({ length: genes }, (_, j) => j);
    h5.strings("/matrix/features/name", features.map((j) => `GENE${j}`));
    h5.strings("/matrix/features/id", features.map((j) => `ENSG${90000000000 + j}`));
    h5.strings("/matrix/features/feature_type", features.map(() => "Gene Expression"));
    h5.strings("/matrix/features/genome", features.map(() => "GRCh38"));
    const names = Array.from(
      { length: bins },
      (_, i) => `s_002um_${digits(Math.floor(i / side))}_${digits(i % side)}-1`,
    );
    h5.strings("/matrix/barcodes", names);
    h5.dataset("/matrix/shape", "i4", [2], Int32Array.of(genes, bins));
    h5.dataset(
      "/matrix/indptr",
      "i8",
      [bins + 1],
      BigInt64Array.from({ length: bins + 1 }, (_, i) => BigInt(i * each)),
    );
    const packed = { chunks: [CHUNK], gzip: 1 };
    h5.dataset("/matrix/indices", "i8", [bins * each], undefined, packed);
    h5.dataset("/matrix/data", "i4", [bins * each], undefined, packed);
    const step = Math.floor(genes / each);
    for (let from = 0; from < bins; from += PART) {
      const count = Math.min(PART, bins - from);
      const indices = new BigInt64Array(count * each);
      const data = new Int32Array(count * each);
      for (let k = 0; k < indices.length; k++) {
        // A gene of each stretch, which one by the bin.
        const mixed = Math.imul((from + Math.floor(k / each)) * each + k % each + 1, 0x9e3779b1) >>> 8;
        indices[k] = BigInt(k % each * step + mixed % step);
        data[k] = 1 + (mixed >>> 8) % 3;
      }
      h5.rows("/matrix/indices", from * each, [], indices);
      h5.rows("/matrix/data", from * each, [], data);
    }
    h5.close();
  });
}

function makePlaces(folder: string, bins: number, side: number): void {
  disk.writeAnywhere(`${folder}/tissue_positions.parquet`, (file) => {
    const writer = new ParquetWriter(file, {
      barcode: "str",
      in_tissue: "i8",
      array_row: "i8",
      array_col: "i8",
      pxl_row_in_fullres: "f8",
      pxl_col_in_fullres: "f8",
    });
    for (let from = 0; from < bins; from += 1 << 20) {
      const at = Array.from({ length: Math.min(1 << 20, bins - from) }, (_, i) => from + i);
      const [row, column] = [(i: number) => Math.floor(i / side), (i: number) => i % side];
      writer.add({
        barcode: at.map((i) => `s_002um_${digits(row(i))}_${digits(column(i))}-1`),
        in_tissue: BigInt64Array.from(at, () => 1n),
        array_row: BigInt64Array.from(at, (i) => BigInt(row(i))),
        array_col: BigInt64Array.from(at, (i) => BigInt(column(i))),
        pxl_row_in_fullres: Float64Array.from(at, (i) => MARGIN + (row(i) + 0.5) * BIN),
        pxl_col_in_fullres: Float64Array.from(at, (i) => MARGIN + (column(i) + 0.5) * BIN),
      });
    }
    writer.finish();
  });
  const scale = { microns_per_pixel: 1, bin_size_um: BIN, spot_diameter_fullres: BIN };
  disk.write(`${folder}/scalefactors_json.json`, new TextEncoder().encode(JSON.stringify(scale)));
}

async function make(folder: string, bins: number, genes: number, each: number): Promise<void> {
  const side = Math.ceil(Math.sqrt(bins));
  const root = `${folder}/HD/binned_outputs/square_002um`;
  Deno.mkdirSync(`${root}/spatial`, { recursive: true });
  makePlaces(`${root}/spatial`, bins, side);
  const width = side * BIN + 2 * MARGIN;
  // Tissue the colour of eosin, with nuclei every 12 µm.
  const rows = (top: number, count: number) => {
    const rgb = new Uint8Array(count * width * 3);
    for (let y = 0; y < count; y++) {
      for (let x = 0; x < width; x++) {
        const nucleus = (x % 12 - 6) ** 2 + ((top + y) % 12 - 6) ** 2 < 12;
        const edge = Math.min(x, top + y, width - 1 - x, width - 1 - top - y) < MARGIN / 2;
        rgb.set(edge ? [245, 245, 245] : nucleus ? [110, 70, 150] : [225, 160, 205], 3 * (y * width + x));
      }
    }
    return rgb;
  };
  writeTiff(disk, `${folder}/HD/slide.tif`, { width, height: width, pixelSize: 1, packing: "jpeg", rows });
  await makeCounts(`${root}/filtered_feature_bc_matrix.h5`, bins, side, genes, each);
  disk.write(`${folder}/HD/size.json`, new TextEncoder().encode(JSON.stringify({ bins, genes, entries: bins * each })));
}

/** Where the numbers are kept. */
const RESULTS = new URL("results/visium_hd.jsonl", import.meta.url);

async function convert(folder: string, flags: readonly string[]): Promise<void> {
  const started = performance.now();
  const status = await main(["convert", "visium", `${folder}/HD`, "--out", `${folder}/out`, ...flags]);
  if (status !== 0) throw new Error(`convert visium ended with ${status}`);
  const seconds = (performance.now() - started) / 1000;
  const peak = /VmHWM:\s*(\d+) kB/.exec(Deno.readTextFileSync("/proc/self/status"))![1];
  const size = JSON.parse(Deno.readTextFileSync(`${folder}/HD/size.json`));
  const row = {
    case: "convert visium",
    flags: flags.join(" "),
    ...size,
    seconds,
    cpuSeconds: cpuMs() / 1000,
    peakMiB: Number(peak) / 1024,
  };
  const line = `${JSON.stringify({ ...row, ...await origin() })}\n`;
  console.log(line);
  Deno.writeTextFileSync(RESULTS, line, { append: true });
}

const [what, folder, ...rest] = Deno.args;
if (folder === undefined || (what !== "make" && what !== "convert")) {
  throw new Error("make DIR | convert DIR is wanted");
}
if (what === "convert") await convert(folder, rest);
else {
  const [bins = 5_000_000, genes = 18_000, each = 50] = rest.map(Number);
  await make(folder, bins, genes, each);
}
