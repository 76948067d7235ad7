/** `convert st` as users run it: a small section made here, and the real ones where they are. */

import assert from "node:assert/strict";
import { haematoxylin, rankCorrelation } from "../../src/data/alignment.ts";
import { findSamples } from "../../src/data/data_folder.ts";
import { loadSample } from "../../src/data/load_sample.ts";
import { rowSums } from "../../src/data/matrix.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import { disk, openFile } from "../../src/io/fs.ts";
import { parseGeoJson } from "../../src/io/geojson.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { parseCatalogue, parseMetadata } from "../../src/io/metadata.ts";
import { openPatches } from "../../src/io/patches.ts";
import { encodePng } from "../../src/io/image/png_write.ts";
import { writeTiff } from "../../src/io/image/tiff_write.ts";
import { inFolder, seal } from "./shared.ts";
import { SIDE, writeSection } from "./st_section.ts";

const HER2ST = new URL("../../../shared/data/her2st", import.meta.url).pathname;
Deno.test("convert st writes HEST's layout and says what it left out", async () => {
  await inFolder(async (folder) => {
    writeSection(`${folder}/in`, "S1");
    const out = `${folder}/out`;
    const before = await seal("convert", "st", `${folder}/in`, "--out", out, "--json", "--patient", "P");
    assert.equal(before.code, 0, before.err);
    const [section] = JSON.parse(before.out).sections;
    const { pixelSize, pixelSizeNeighbours, dropped } = section;
    assert.ok(Math.abs(pixelSize - 0.8) < 1e-9 && Math.abs(pixelSizeNeighbours - 0.8) < 1e-9);
    assert.deepEqual(dropped, {
      selectedWithoutCounts: 1,
      notSelected: 1,
      outsideImage: 1,
      countsWithoutPlace: 1,
      windowOffImage: 0,
      offTissue: 4,
    });
    assert.deepEqual([section.spots, section.pairs], [13, 9]);
    const patches = await openPatches(disk.open(`${out}/patches/S1.h5`, "read"));
    assert.equal(patches.barcodes!.length, 9);
    assert.equal(patches.barcodes![0], "020x011");
    patches.close();
    const table = await H5ad.open(disk.open(`${out}/st/S1.h5ad`, "read"));
    table.close();
    const metadata = parseMetadata(Deno.readFileSync(`${out}/metadata/S1.json`), "S1.json");
    assert.ok(Math.abs(metadata.pixelSize - 0.8) < 1e-9);
    assert.equal(parseGeoJson(Deno.readFileSync(`${out}/tissue_seg/S1_contours.geojson`), "S1").length, 1);
    assert.equal(decodeImage(Deno.readFileSync(`${out}/patches_vis/S1_patch_vis.png`), "S1").width, 1000);
    const small = decodeImage(Deno.readFileSync(`${out}/thumbnails/S1_downscaled_fullres.jpeg`), "S1");
    assert.deepEqual([small.width, small.height], [1000, 1000]);
    assert.ok([150, 80, 160].every((value, i) => Math.abs(small.data[i]! - value) <= 1));
    const slide = await openSlide(await openFile(`${out}/wsis/S1.tif`));
    assert.deepEqual(slide.levels.map(({ width }) => width), [1200, 600, 300, 150]);
    assert.ok(Math.abs(slide.pixelSize.um! - 0.8) < 1e-6);
    const source = decodeImage(Deno.readFileSync(`${folder}/in/images/S1.png`), "S1.png");
    assert.deepEqual((await slide.read(0, 0, 0, SIDE, SIDE)).data, source.data);
    slide.close();

    // A catalogue that is none is told before anything is made.
    Deno.mkdirSync(`${folder}/other`);
    Deno.writeTextFileSync(`${folder}/other/HEST_v1_1_0.csv`, "mine\n");
    const foreign = await seal("convert", "st", `${folder}/in`, "--out", `${folder}/other`);
    assert.deepEqual([foreign.code, [...Deno.readDirSync(`${folder}/other`)].length], [4, 1], foreign.err);
    assert.match(foreign.err, /other\/HEST_v1_1_0\.csv/);

    // Not again unasked; one section by its files, cut as the benchmark's, beside the first in the catalogue.
    assert.match((await seal("convert", "st", `${folder}/in`, "--out", out)).err, /--patient P, now not given/);
    const files = ["--counts", "counts/S1.tsv", "--spots", "spots/S1_selection.tsv", "--image", "images/S1.png"];
    const single = files.map((word) => word.startsWith("--") ? word : `${folder}/in/${word}`);
    const again = await seal("convert", "st", ...single, "--out", out, "--id", "S2", "--rule", "v1", "--json");
    assert.equal(again.code, 0, again.err);
    assert.equal(JSON.parse(again.out).pairs, 9);
    assert.ok(disk.look(`${out}/wsis/S2.tif`));
    // A slide of a run before does not stay beside what belongs to another.
    const without = ["--wsi", "none", "--overwrite", "--quiet"];
    const last = await seal("convert", "st", ...single, "--out", out, "--id", "S2", ...without);
    assert.equal(last.code, 0, last.err);
    assert.match(last.err, /^warning: S2: patches are enlarged: 0\.8000 µm a pixel/);
    assert.equal(disk.look(`${out}/wsis/S2.tif`), undefined);
    const catalogue = parseCatalogue(Deno.readTextFileSync(`${out}/HEST_v1_1_0.csv`), "csv");
    assert.deepEqual(catalogue.map(({ id }) => id), ["S1", "S2"]);
  });
});

Deno.test("convert st refuses what does not belong together, and to write among its input", async () => {
  await inFolder(async (folder) => {
    writeSection(folder, "S1");
    assert.match((await seal("convert", "st", folder, "--out", `${folder}/hest`)).err, /which is the input/);
    assert.match((await seal("convert", "st", "--counts", "a.tsv", "--out", folder)).err, /wanted FOLDER/);
    Deno.renameSync(`${folder}/images/S1.png`, `${folder}/images/S9.png`);
    const { code, err } = await seal("convert", "st", folder, "--out", `${folder}-out`);
    assert.match(err, /missing counts of S9, spots of S9, images of S1/);
    assert.notEqual(code, 0);
    assert.equal(disk.look(`${folder}-out`), undefined);
  });
});

Deno.test("convert st refuses images too coarse unless told, and images without tissue under the spots", async () => {
  await inFolder(async (folder) => {
    writeSection(`${folder}/in`, "S1");
    const words = (...more: string[]) => ["convert", "st", `${folder}/in`, "--out", `${folder}/out`, ...more];
    const { code, err } = await seal(...words("--pitch-um", "300"));
    assert.match(err, /S1: 1\.200 µm a pixel, at most 1\.15 wanted/);
    assert.equal(code, 4);
    assert.equal(disk.look(`${folder}/out/st`), undefined);
    assert.equal((await seal(...words("--pitch-um", "300", "--coarse"))).code, 0);
    const before = Deno.readFileSync(`${folder}/out/metadata/S1.json`);
    // Tissue that begins below all spots, and none at all.
    const height = 2 * SIDE;
    const cases = [[1500, /of 13 spots 13 lie off the tissue/], [height, /no tissue is seen on the image/]] as const;
    for (const [top, said] of cases) {
      const data = new Uint8Array(SIDE * height * 3).fill(225);
      for (let i = top * SIDE * 3; i < data.length; i++) data[i] = [150, 80, 160][i % 3]!;
      Deno.writeFileSync(`${folder}/in/images/S1.png`, encodePng({ width: SIDE, height, data }));
      assert.match((await seal(...words("--overwrite"))).err, said);
      assert.deepEqual(Deno.readFileSync(`${folder}/out/metadata/S1.json`), before);
    }
  });
});

Deno.test("convert st leaves nothing of a sample whose slide turns out damaged half way", async () => {
  await inFolder(async (folder) => {
    writeSection(`${folder}/in`, "S1");
    const { width, height, data } = decodeImage(Deno.readFileSync(`${folder}/in/images/S1.png`), "S1.png");
    Deno.removeSync(`${folder}/in/images/S1.png`);
    const path = `${folder}/in/images/S1.tif`;
    const stride = 2 * width * 3;
    // Twice as large, so that the small image is made of the second level, which is whole.
    const rows = (top: number, count: number) =>
      Uint8Array.from({ length: count * stride }, (_, i) => {
        const [x, y] = [Math.floor(i % stride / 6), Math.floor((top + Math.floor(i / stride)) / 2)];
        return data[(y * width + x) * 3 + i % 3]!;
      });
    writeTiff(disk, path, { width: 2 * width, height: 2 * height, pixelSize: 0.4, rows });
    const spots = `${folder}/in/spots/S1_selection.tsv`;
    const [head, ...lines] = Deno.readTextFileSync(spots).trimEnd().split("\n");
    const twice = lines.map((line) =>
      line.split("\t").map((v, k) => k === 2 || k === 3 ? 2 * Number(v) : v).join("\t")
    );
    Deno.writeTextFileSync(spots, `${head}\n${twice.join("\n")}\n`);
    const run = (...more: string[]) => seal("convert", "st", `${folder}/in`, "--out", `${folder}/out`, ...more);
    assert.equal((await run()).code, 0);
    const bytes = Deno.readFileSync(path);
    bytes.fill(0xff, 2000, 2200);
    Deno.writeFileSync(path, bytes);
    const { code, err } = await run("--overwrite");
    assert.match(err, /S1\.tif/);
    assert.equal(code, 4);
    const left = [...Deno.readDirSync(`${folder}/out`)].filter(({ isDirectory }) => isDirectory)
      .flatMap(({ name }) => [...Deno.readDirSync(`${folder}/out/${name}`)]);
    assert.deepEqual(left, []);
  });
});

Deno.test({
  name: "convert st brings the real sections into HEST's layout",
  ignore: disk.look(HER2ST) === undefined,
  fn: async () => {
    await inFolder(async (folder) => {
      const files = ["--counts", "counts/C4.tsv.gz", "--spots", "spots/C4_selection.tsv", "--image", "images/C4.jpg"];
      const words = files.map((word) => word.startsWith("--") ? word : `${HER2ST}/${word}`);
      const { code, out, err } = await seal("convert", "st", ...words, "--out", `${folder}/out`, "--json");
      assert.equal(code, 0, err);
      const [{ spots, pairs, dropped, pixelSize, pixelSizeNeighbours }] = JSON.parse(out).sections;
      assert.equal(spots, 184);
      assert.equal(pairs + dropped.offTissue + dropped.windowOffImage, 184);
      assert.ok(pairs >= 180);
      assert.ok(Math.abs(pixelSize / pixelSizeNeighbours - 1) < 0.01);
      const image = await openFile(`${folder}/out/patches_vis/C4_patch_vis.png`);
      assert.ok(image.size > 1e5);
      image.close?.();
      // Where tissue is dense there are more counts, and not where the patches are those of other spots.
      const sample = await loadSample(disk, findSamples(disk, [`${folder}/out`])[0]!);
      assert.ok(!sample.warnings.some((text) => /more nuclei/.test(text)), String(sample.warnings));
      const patches = await openPatches(disk.open(sample.patches.path, "read"));
      const stain = Array.from(sample.patches.rows, (row) => haematoxylin(patches.read(row, row + 1), patches.width));
      patches.close();
      const totals = rowSums(sample.raw.matrix);
      const turned = stain.map((_, i) => stain[(i + 60) % stain.length]!);
      const [own, other] = [rankCorrelation(stain, totals), rankCorrelation(turned, totals)];
      assert.ok(own > 0.5 && other < 0.2, `${own} and ${other}`);
    });
  },
});
