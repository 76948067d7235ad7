/** Numbers that are no counts are refused wherever counts enter: nothing of the sample is written. @seconds 16 */

import assert from "node:assert/strict";
import { disk } from "../../src/io/fs.ts";
import { encodePng } from "../../src/io/image/png_write.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { FIXTURES, inFolder, seal } from "./shared.ts";
import {
  type Counted,
  countsOf,
  make,
  scaleFactors,
  writeImage,
  writeMex,
  writeOuts,
  writeTenx,
} from "./space_ranger.ts";

const made = make(0);

/** What is no count, in words of the error: the number, the spot, the gene. */
const BAD: readonly [value: number, wanted: RegExp][] = [
  [-3, /counts of \w+: -3 in (?:spot|bin) \S+, gene \S+, whole numbers from 0/],
  [0.7, /0\.7 in (?:spot|bin) \S+, gene \S+, (?:and \d+\.\d % of the numbers are fractions|whole numbers from 0)/],
  [
    2 ** 24,
    /16777216 in (?:spot|bin) \S+, gene \S+, (?:counts below|whole numbers from 0 that add up to less than) 16777216/,
  ],
];

/** Counts with one of them changed. */
function changed(counted: Counted, value: number): Counted {
  return { ...counted, rows: counted.rows.map((row, i) => i === 1 ? row.map((own, j) => j === 2 ? value : own) : row) };
}

/** Runs a conversion that must be refused with status 4 and leave no file. */
async function refused(words: readonly string[], out: string, pattern: RegExp): Promise<void> {
  const { code, err } = await seal("convert", ...words, "--out", out, "--wsi", "none");
  assert.match(err, pattern);
  assert.equal(code, 4);
  for (const part of ["st", "patches", "metadata", "thumbnails"]) {
    const entry = disk.look(`${out}/${part}`);
    assert.ok(entry === undefined || (entry.kind === "folder" && entry.names.length === 0), `${part}: ${err}`);
  }
}

Deno.test("convert visium refuses numbers that are no counts, of HDF5 and of text", async () => {
  await inFolder(async (folder) => {
    await writeOuts(made, `${folder}/V1`);
    const h5 = `${folder}/V1/outs/filtered_feature_bc_matrix.h5`;
    for (const [value, pattern] of BAD) {
      await writeTenx(h5, changed(countsOf(made), value));
      await refused(["visium", `${folder}/V1`], `${folder}/out`, pattern);
    }
    const none = { ...countsOf(made), rows: countsOf(made).rows.map((row) => row.map(() => 0)) };
    await writeTenx(h5, { ...none, rows: none.rows.map((row, i) => i === 0 ? [...row.slice(0, -1), 1] : row) });
    await refused(["visium", `${folder}/V1`], `${folder}/out`, /counts of V1: all are 0/);
    Deno.removeSync(h5);
    for (const [value, pattern] of BAD) {
      writeMex(`${folder}/V1/outs/filtered_feature_bc_matrix`, changed(countsOf(made), value));
      await refused(["visium", `${folder}/V1`], `${folder}/out`, pattern);
    }
  });
});

Deno.test("convert visium refuses them in bins of Visium HD, before bins are added up", async () => {
  await inFolder(async (folder) => {
    const root = `${folder}/HD/binned_outputs/square_016um`;
    Deno.mkdirSync(`${root}/spatial`, { recursive: true });
    Deno.copyFileSync(`${FIXTURES}parquet/tissue_positions.parquet`, `${root}/spatial/tissue_positions.parquet`);
    const scale = { microns_per_pixel: 0.5, bin_size_um: 16 };
    Deno.writeTextFileSync(`${root}/spatial/scalefactors_json.json`, scaleFactors(made, 1, scale));
    const five = (n: number) => String(n).padStart(5, "0");
    const barcodes = Array.from({ length: 576 }, (_, i) => `s_016um_${five(Math.floor(i / 24))}_${five(i % 24)}-1`);
    const data = new Uint8Array(900 * 920 * 3).fill(150);
    writeImage(`${folder}/HD/slide.png`, { width: 900, height: 920, data }, 0.5);
    const counted = { barcodes, names: ["A", "B", "C"], types: new Array<string>(3).fill("Gene Expression") };
    for (const [value, pattern] of BAD) {
      // A negative number beside a larger one: their sum would be a count.
      const rows = barcodes.map((_, i) => i === 1 ? [4, 4, value] : [4, 4, 4]);
      await writeTenx(`${root}/filtered_feature_bc_matrix.h5`, { ...counted, rows });
      await refused(["visium", `${folder}/HD`], `${folder}/out`, pattern);
    }
    // Each is a count, their sum is beyond what is kept exactly.
    const rows = barcodes.map(() => [4, 4, 2 ** 23]);
    await writeTenx(`${root}/filtered_feature_bc_matrix.h5`, { ...counted, rows });
    await refused(
      ["visium", `${folder}/HD`],
      `${folder}/out`,
      /8388608 in bin s_016um_00000_00001-1, gene C, .* less than/,
    );
  });
});

Deno.test("convert st refuses them, with the line where the table itself says so", async () => {
  await inFolder(async (folder) => {
    for (const part of ["counts", "spots", "images"]) Deno.mkdirSync(`${folder}/in/${part}`, { recursive: true });
    const data = Uint8Array.from({ length: 1200 * 1200 * 3 }, (_, i) => [150, 80, 160][i % 3]!);
    Deno.writeFileSync(`${folder}/in/images/S1.png`, encodePng({ width: 1200, height: 1200, data }));
    const spots = Array.from({ length: 16 }, (_, i) => [i % 4, i >> 2] as const);
    const places = spots.map(([x, y]) => [x, y, 200 + 250 * x, 200 + 250 * y].join("\t"));
    Deno.writeTextFileSync(`${folder}/in/spots/S1.tsv`, `x\ty\tpixel_x\tpixel_y\n${places.join("\n")}\n`);
    const write = (value: string) => {
      const rows = spots.map(([x, y], i) => `${x}x${y}\t${i === 5 ? value : 1}\t2`);
      Deno.writeTextFileSync(`${folder}/in/counts/S1.tsv`, `\tA\tB\n${rows.join("\n")}\n`);
    };
    const cases: [string, RegExp][] = [
      ["-3", /S1\.tsv, line 7: "-3" as count of A, expected 0 or more/],
      ["NaN", /S1\.tsv, line 7: "NaN" as count of A, expected a number/],
      ["inf", /S1\.tsv, line 7: "inf" as count of A, expected a number/],
      ["1e999", /S1\.tsv, line 7: "1e999" as count of A, expected a number/],
      ["1.5", /Cannot use S1 as raw counts: 1\.5 in spot 001x001, gene A, and 3\.1 % of the numbers are fractions/],
      ["16777217", /16777216 in spot 001x001, gene A, counts below 16777216/],
    ];
    for (const [value, pattern] of cases) {
      write(value);
      await refused(["st", `${folder}/in`], `${folder}/out`, pattern);
    }
  });
});

Deno.test("convert visium takes one genome of two with --genome, whose name the error gives", async () => {
  await inFolder(async (folder) => {
    await writeOuts(made, `${folder}/V2`);
    const { barcodes, names, rows } = countsOf(made);
    const genes = names.slice(0, -1);
    const path = `${folder}/V2/outs/filtered_feature_bc_matrix.h5`;
    const begin = await H5Writer.prepare();
    disk.writeAnywhere(path, (file) => {
      const h5 = begin(file);
      for (const [genome, factor] of [["GRCh38", 1], ["mm10", 2]] as const) {
        h5.group(`/${genome}`);
        h5.strings(`/${genome}/barcodes`, barcodes);
        h5.strings(`/${genome}/gene_names`, genes);
        h5.strings(`/${genome}/genes`, genes.map((_, j) => `ID${j}`));
        const values = rows.flatMap((row) => row.slice(0, -1).map((value) => factor * value));
        h5.dataset(`/${genome}/shape`, "i4", [2], Int32Array.of(genes.length, barcodes.length));
        h5.dataset(`/${genome}/data`, "i4", [values.length], Int32Array.from(values));
        h5.dataset(`/${genome}/indices`, "i4", [values.length], Int32Array.from(values, (_, k) => k % genes.length));
        const starts = Int32Array.from({ length: barcodes.length + 1 }, (_, i) => i * genes.length);
        h5.dataset(`/${genome}/indptr`, "i4", [starts.length], starts);
      }
      h5.close();
    });
    const words = ["visium", `${folder}/V2`];
    await refused(words, `${folder}/out`, /genomes GRCh38, mm10, one is wanted[\s\S]*--genome GRCh38 or --genome mm10/);
    await refused([...words, "--genome", "hg19"], `${folder}/out`, /genomes GRCh38, mm10/);
    const total = async (genome: string) => {
      const out = `${folder}/${genome}`;
      const { code, out: said, err } = await seal(
        "convert",
        ...words,
        ...["--genome", genome, "--out", out, "--wsi", "none", "--json", "--quiet"],
      );
      assert.equal(code, 0, err);
      const { genes, spots } = JSON.parse(said);
      using file = await H5ad.open(disk.open(`${out}/st/V2.h5ad`, "read"));
      return [genes, file.x.read(0, spots).values.reduce((a, b) => a + b, 0)];
    };
    const [[n, one], [, two]] = [await total("GRCh38"), await total("mm10")] as [[number, number], [number, number]];
    assert.deepEqual([n, two], [genes.length, 2 * one]);
  });
});
