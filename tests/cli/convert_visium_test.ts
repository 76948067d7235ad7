/**
 * `convert visium` on folders of Space Ranger's made from synthetic slides, whose counts, places and pixels are known.
 *
 * @seconds 17
 */

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { disk, openFile } from "../../src/io/fs.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { parseCatalogue, parseMetadata } from "../../src/io/metadata.ts";
import { openPatches } from "../../src/io/patches.ts";
import { toDense } from "../../src/io/sparse.ts";
import { openTiff } from "../../src/io/image/tiff.ts";
import { Sha256 } from "../../src/host/zlib.ts";
import { FIXTURES, inFolder, seal } from "./shared.ts";
import {
  countsOf,
  HEADER,
  HIRES,
  make,
  positionLines,
  scaleFactors,
  smaller,
  writeImage,
  writeMex,
  writeOuts,
  writeTenx,
} from "./space_ranger.ts";

const made = make(0);
const utf8 = (text: string) => new TextEncoder().encode(text);

/** Every file of a folder with its digest and time of change. */
function digests(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return digests(path);
    return [`${path} ${new Sha256().update(Deno.readFileSync(path)).hex()} ${Deno.statSync(path).mtime?.getTime()}`];
  }).sort();
}

interface Result {
  spots: number;
  pairs: number;
  pixelSize: number;
  pixelSizeReference: number;
  dropped: Record<string, number>;
  warnings: string[];
}

async function convert(...words: string[]): Promise<Result> {
  const { code, out, err } = await seal("convert", "visium", ...words, "--json", "--quiet");
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

/** Counts and places of a sample that was written, by barcode. */
async function table(path: string) {
  const file = await H5ad.open(disk.open(path, "read"));
  try {
    const counts = toDense(file.x.read(0, file.x.rows), file.x.columns);
    const spatial = file.spatial();
    const width = file.x.columns;
    const rows = new Map(file.obs.index.map((name, i) => [name, {
      counts: [...counts.slice(i * width, (i + 1) * width)],
      place: [spatial[2 * i]!, spatial[2 * i + 1]!],
      array: [file.obs.numbers("array_row")![i]!, file.obs.numbers("array_col")![i]!],
    }]));
    return { rows, genes: file.var.index, ids: file.var.strings("gene_ids")! };
  } finally {
    file.close();
  }
}

async function checkTable(path: string): Promise<void> {
  const { rows, genes, ids } = await table(path);
  assert.deepEqual(genes, made.genes);
  assert.equal(ids[2], "ENSG90000000002");
  assert.equal(rows.size, made.barcodes.length);
  made.slide.spots.forEach(({ row, col, x, y }, i) => {
    const spot = rows.get(made.barcodes[i]!)!;
    const width = genes.length;
    assert.deepEqual(spot.counts, [...made.counts.subarray(i * width, (i + 1) * width)]);
    assert.deepEqual([...spot.place, ...spot.array], [x / 0.5, y / 0.5, row, col]);
  });
}

/** Patches are the slide rendered at their corners. */
async function checkPatches(path: string, most: number): Promise<void> {
  const patches = await openPatches(disk.open(path, "read"));
  try {
    assert.deepEqual([patches.generation, patches.count, patches.sizeOnSlide], ["current", 36, 224]);
    for (const i of [0, 17, 35]) {
      const [x, y] = [patches.coords![2 * i]!, patches.coords![2 * i + 1]!];
      const spot = made.slide.spots[made.barcodes.indexOf(patches.barcodes![i]!)]!;
      assert.deepEqual([x, y], [Math.trunc(spot.x / 0.5 - 112), Math.trunc(spot.y / 0.5 - 112)]);
      const wanted = made.renderer.render(x, y, 224, 224);
      const off = patches.read(i, i + 1).reduce((worst, value, k) => Math.max(worst, Math.abs(value - wanted[k]!)), 0);
      assert.ok(off <= most, `patch ${i} is off by ${off}`);
    }
  } finally {
    patches.close();
  }
}

Deno.test("convert visium reads an outs folder of version 2: all files, everything dropped is counted", async () => {
  await inFolder(async (folder) => {
    await writeOuts(made, `${folder}/V1`);
    const before = digests(`${folder}/V1`);
    const out = `${folder}/hest`;
    const result = await convert(`${folder}/V1`, "--out", out, "--patient", "P1");
    assert.deepEqual(digests(`${folder}/V1`), before);
    assert.deepEqual(result.dropped, {
      countsWithoutPlace: 1,
      underTissueWithoutCounts: 1,
      notUnderTissue: 0,
      outsideImage: 0,
      windowOffImage: 0,
      offTissue: 0,
    });
    assert.deepEqual([result.spots, result.pairs], [36, 36]);
    assert.ok(Math.abs(result.pixelSize / 0.5 - 1) < 1e-9 && Math.abs(result.pixelSizeReference / 0.5 - 1) < 1e-9);
    assert.deepEqual(result.warnings, ["V1: 1 features that are no genes are left out"]);
    await checkTable(`${out}/st/V1.h5ad`);
    await checkPatches(`${out}/patches/V1.h5`, 0);
    const metadata = parseMetadata(Deno.readFileSync(`${out}/metadata/V1.json`), "V1.json");
    assert.deepEqual(
      ["st_technology", "patient", "inter_spot_dist", "spot_diameter", "nb_genes"].map((key) => metadata.text(key)),
      ["Visium", "P1", "100", "55", String(made.genes.length)],
    );
    const [row] = parseCatalogue(Deno.readTextFileSync(`${out}/HEST_v1_1_0.csv`), "csv");
    assert.deepEqual([row!.id, row!.pixelSize], ["V1", 0.5]);
    assert.equal((await openTiff(await openFile(`${out}/wsis/V1.tif`))).levels[0]!.width, made.slide.width);
    assert.ok(disk.look(`${out}/thumbnails/V1_downscaled_fullres.jpeg`));
    // Every spot of the image that shows where they lie has a green ring.
    const { width, data } = decodeImage(Deno.readFileSync(`${out}/patches_vis/V1_patch_vis.png`), "vis");
    const { x, y } = made.slide.spots[7]!;
    const scale = 1000 / Math.max(made.slide.width, made.slide.height);
    const at = (Math.floor(y / 0.5 * scale) * width + Math.floor((x / 0.5 + 55) * scale)) * 3;
    assert.deepEqual([...data.slice(at, at + 3)], [0, 160, 0]);
  });
});

Deno.test("convert visium reads version 1: positions without a header, text counts, wells left out, a TIFF named", async () => {
  await inFolder(async (folder) => {
    Deno.mkdirSync(`${folder}/S2/spatial`, { recursive: true });
    const counted = countsOf(made);
    const barcodes = counted.barcodes.map((name) => name.replace("-1", ""));
    writeMex(`${folder}/S2/filtered_feature_bc_matrix`, { ...counted, barcodes });
    Deno.writeTextFileSync(`${folder}/S2/spatial/tissue_positions_list.csv`, positionLines(made));
    Deno.writeTextFileSync(`${folder}/S2/spatial/scalefactors_json.json`, scaleFactors(made, HIRES));
    writeImage(`${folder}/slide.tif`, made.image, 0.5);
    const words = [`${folder}/S2`, "--image", `${folder}/slide.tif`, "--out", `${folder}/hest`];
    const result = await convert(...words, "--under-tissue", "--wsi", "none");
    assert.deepEqual([result.spots, result.dropped["notUnderTissue"]], [35, 1]);
    assert.equal(disk.look(`${folder}/hest/wsis/S2.tif`), undefined);
    const all = await convert(...words, "--overwrite");
    assert.equal(all.spots, 36);
    await checkTable(`${folder}/hest/st/S2.h5ad`);
    await checkPatches(`${folder}/hest/patches/S2.h5`, 0);
    // By the rule of 2024: centres, which the reader gives x before y.
    await convert(...words, "--overwrite", "--rule", "v1");
    const patches = await openPatches(disk.open(`${folder}/hest/patches/S2.h5`, "read"));
    assert.equal(patches.generation, "v1");
    const spot = made.slide.spots[made.barcodes.indexOf(patches.barcodes![0]!)]!;
    assert.deepEqual([...patches.coords!.slice(0, 2)], [Math.trunc(spot.x / 0.5), Math.trunc(spot.y / 0.5)]);
    patches.close();
  });
});

Deno.test("convert visium reads files as GEO has them: prefixed, packed, side by side, the slide as JPEG", async () => {
  await inFolder(async (folder) => {
    writeMex(`${folder}/GEO3`, countsOf(made), "GSM3_");
    const packed = (name: string, text: string) =>
      Deno.writeFileSync(`${folder}/GEO3/GSM3_${name}.gz`, gzipSync(utf8(text)));
    packed("tissue_positions_list.csv", positionLines(made));
    packed("scalefactors_json.json", scaleFactors(made, HIRES));
    writeImage(`${folder}/GEO3/GSM3_image.jpg`, made.image, 0.5);
    const { pairs } = await convert(`${folder}/GEO3`, "--out", `${folder}/hest`);
    assert.equal(pairs, 36);
    await checkTable(`${folder}/hest/st/GEO3.h5ad`);
    await checkPatches(`${folder}/hest/patches/GEO3.h5`, 40);
  });
});

Deno.test("convert visium pools Visium HD's bins and loses no count", async () => {
  await inFolder(async (folder) => {
    const root = `${folder}/HD/binned_outputs/square_016um`;
    Deno.mkdirSync(`${root}/spatial`, { recursive: true });
    Deno.copyFileSync(`${FIXTURES}parquet/tissue_positions.parquet`, `${root}/spatial/tissue_positions.parquet`);
    const scale = { microns_per_pixel: 0.5, bin_size_um: 16 };
    Deno.writeTextFileSync(`${root}/spatial/scalefactors_json.json`, scaleFactors(made, 1, scale));
    const bins = Array.from({ length: 24 * 24 }, (_, i) => [Math.floor(i / 24), i % 24] as const);
    const name = ([r, c]: readonly [number, number]) =>
      `s_016um_${String(r).padStart(5, "0")}_${String(c).padStart(5, "0")}-1`;
    const value = ([r, c]: readonly [number, number], gene: number) => (7 * r + 3 * c + 5 * gene) % 11;
    // Some bins are empty, and left out of the filtered counts.
    const kept = bins.filter(([r, c]) => (r + c) % 5 !== 0);
    await writeTenx(`${root}/filtered_feature_bc_matrix.h5`, {
      barcodes: kept.map(name),
      names: ["A", "B", "A"],
      types: ["Gene Expression", "Gene Expression", "Gene Expression"],
      rows: kept.map((bin) => [0, 1, 2].map((gene) => value(bin, gene))),
    });
    const [width, height] = [900, 920];
    const data = Uint8Array.from(
      { length: width * height * 3 },
      (_, i) => Math.floor(i / 3) % width < 840 ? [150, 80, 160][i % 3]! : 235,
    );
    writeImage(`${folder}/HD/slide.png`, { width, height, data }, 0.5);
    const result = await convert(`${folder}/HD`, "--out", `${folder}/hest`);
    assert.deepEqual([result.spots, result.pixelSize.toFixed(9)], [9, "0.500000000"]);
    assert.ok(result.warnings.some((text) => /1 genes of equal names got a number/.test(text)));
    const { rows, genes } = await table(`${folder}/hest/st/HD.h5ad`);
    assert.deepEqual(genes, ["A", "B", "A-1"]);
    for (const [squareRow, squareColumn] of [[0, 0], [1, 2], [2, 2]] as const) {
      const inside = kept.filter(([r, c]) => r >> 3 === squareRow && c >> 3 === squareColumn);
      const sums = [0, 1, 2].map((gene) => inside.reduce((sum, bin) => sum + value(bin, gene), 0));
      const square = rows.get(`000${squareRow}x000${squareColumn}`)!;
      assert.deepEqual(square.counts, sums);
      const centre = (bin: number, from: number) => from + 32 * (8 * bin + 3.5);
      const wanted = [centre(squareColumn, 80.5), centre(squareRow, 100.25)];
      assert.ok(square.place.every((v, k) => Math.abs(v - wanted[k]!) < 1e-6), String(square.place));
    }
    const sum = [...rows.values()].flatMap(({ counts }) => counts).reduce((a, b) => a + b, 0);
    assert.equal(sum, kept.flatMap((bin) => [0, 1, 2].map((gene) => value(bin, gene))).reduce((a, b) => a + b, 0));
    const metadata = parseMetadata(Deno.readFileSync(`${folder}/hest/metadata/HD.json`), "HD.json");
    assert.deepEqual([metadata.text("st_technology"), metadata.number("inter_spot_dist")], ["Visium HD", 128]);
    const odd = await seal("convert", "visium", `${folder}/HD`, "--out", `${folder}/odd`, "--pitch-um", "100");
    assert.match(odd.err, /has square_016um, bins that squares of 100 µm are made of wanted[\s\S]*--pitch-um/);
    const named = await seal(
      "convert",
      "visium",
      root,
      "--out",
      `${folder}/odd`,
      "--id",
      "HD",
      "--pitch-um",
      "100",
      "--image",
      `${folder}/HD/slide.png`,
    );
    assert.match(named.err, /squares of 100 µm, a multiple of its bins' 16 µm wanted[\s\S]*--pitch-um 96/);
    // Squares of one bin are the bins themselves.
    Deno.renameSync(`${folder}/HD`, `${folder}/HD (first) größe`);
    await convert(`${folder}/HD (first) größe`, "--out", `${folder}/fine`, "--pitch-um", "16");
    const fine = await table(`${folder}/fine/st/HD-first-gro-e.h5ad`);
    assert.equal(fine.rows.size, kept.length);
    for (const bin of kept.slice(0, 40)) {
      const key = bin.map((n) => String(n).padStart(4, "0")).join("x");
      assert.deepEqual(fine.rows.get(key)!.counts, [0, 1, 2].map((gene) => value(bin, gene)));
    }
  });
});

Deno.test("convert visium takes the small image where there is no other, if told that it is coarse", async () => {
  await inFolder(async (folder) => {
    await writeOuts(made, `${folder}/V4`);
    Deno.removeSync(`${folder}/V4/slide.png`);
    const words = [`${folder}/V4/outs`, "--out", `${folder}/hest`];
    const { code, err } = await seal("convert", "visium", ...words);
    assert.match(err, /V4: 1\.250 µm a pixel, at most 1\.15 wanted/);
    assert.equal(code, 4);
    const { pixelSize, pairs } = await convert(...words, "--coarse");
    assert.ok(Math.abs(pixelSize / 1.25 - 1) < 1e-9 && pairs === 36);
  });
});

Deno.test("convert visium warns of numbers and images that do not belong together", async () => {
  await inFolder(async (folder) => {
    await writeOuts(made, `${folder}/V5`);
    const wrong = { spot_diameter_fullres: 100 };
    Deno.writeTextFileSync(`${folder}/V5/outs/spatial/scalefactors_json.json`, scaleFactors(made, HIRES, wrong));
    // A tenth of the slide is cut off, and its file claims another pixel size.
    const { width, height, data } = made.image;
    const cut = { width, height: Math.floor(0.9 * height), data: data.slice(0, width * Math.floor(0.9 * height) * 3) };
    Deno.removeSync(`${folder}/V5/slide.png`);
    writeImage(`${folder}/V5/slide.tiff`, cut, 0.25);
    const { warnings, dropped } = await convert(`${folder}/V5`, "--out", `${folder}/hest`, "--pitch-um", "100");
    const patterns = [
      /image has 1700x\d+ pixels, the one Space Ranger was given about 1700x146\d/,
      /by the lattice, 0\.5000 µm, and by spot_diameter_fullres, 0\.5500 µm, differ by 9\.1 %/,
      /the image's file claims 0\.2500 µm a pixel, the spots say 0\.5000/,
    ];
    for (const pattern of patterns) assert.ok(warnings.some((text) => pattern.test(text)), `${pattern}: ${warnings}`);
    assert.equal(dropped["outsideImage"], 0);
    // Spots and counts of two samples.
    const text = HEADER + positionLines(made).replaceAll("AAAAAAAAAAAAA-1", "CCCCCCCCCCCCC-1");
    Deno.writeTextFileSync(`${folder}/V5/outs/spatial/tissue_positions.csv`, text);
    const other = await seal("convert", "visium", `${folder}/V5`, "--out", `${folder}/other`);
    assert.match(other.err, /no spot has counts \(TAG.*\) and a place \(AAACC/);
  });
});

Deno.test("convert visium names what is missing, several slides, and refuses to write among its input", async () => {
  await inFolder(async (folder) => {
    const run = async (...words: string[]) => (await seal("convert", "visium", ...words)).err;
    assert.match(await run(), /wanted FOLDER \[--image FILE\] --out DIR/);
    assert.match(await run(`${folder}/none`, "--out", `${folder}/out`), /none: no folder, Space Ranger's output/);
    await writeOuts(made, `${folder}/V6`);
    const v6 = [`${folder}/V6`, "--out"];
    assert.match(await run(...v6, `${folder}/V6/hest`), /it lies in .*V6, which is the input/);
    assert.match(await run(...v6, `${folder}/out`, "--id", "a_b"), /letters and digits are wanted/);
    writeImage(`${folder}/V6/other.png`, smaller(made, 0.2), 0.5);
    assert.match(await run(...v6, `${folder}/out`), /images .*other\.png, .*slide\.png, one slide/);
    Deno.removeSync(`${folder}/V6/other.png`);
    Deno.removeSync(`${folder}/V6/outs/filtered_feature_bc_matrix.h5`);
    assert.match(await run(...v6, `${folder}/out`), /no filtered_feature_bc_matrix\.h5 or folder/);
    Deno.removeSync(`${folder}/V6/outs/spatial/tissue_positions.csv`);
    assert.match(await run(...v6, `${folder}/out`), /no tissue_positions\.parquet, .* in it or in its folder spatial/);
    Deno.mkdirSync(`${folder}/V7/binned_outputs/square_024um`, { recursive: true });
    assert.match(
      await run(`${folder}/V7`, "--out", `${folder}/out`),
      /binned_outputs has square_024um, bins that squares of 128 µm/,
    );
    assert.equal(disk.look(`${folder}/out`), undefined);
  });
});
