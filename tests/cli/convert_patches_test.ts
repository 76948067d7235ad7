/** `convert patches`: patches cut again from the slides that conversions keep are the bytes that these wrote. */

import assert from "node:assert/strict";
import { findSamples } from "../../src/data/data_folder.ts";
import { loadSample } from "../../src/data/load_sample.ts";
import { disk } from "../../src/io/fs.ts";
import { parseCatalogue } from "../../src/io/metadata.ts";
import { openPatches } from "../../src/io/patches.ts";
import { inFolder, seal } from "./shared.ts";
import { make, writeOuts } from "./space_ranger.ts";
import { writeSection } from "./st_section.ts";

async function run(...words: string[]) {
  const { code, out, err } = await seal("convert", ...words, "--json", "--quiet");
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

const same = (a: string, b: string) => assert.deepEqual(Deno.readFileSync(a), Deno.readFileSync(b), `${a} and ${b}`);

Deno.test("patches cut again are those of the conversion at the same settings, byte for byte", async () => {
  await inFolder(async (folder) => {
    writeSection(`${folder}/in`, "S1");
    // Slide pixels of 0.48 µm, so that patches come of the pyramid's second level; also where that is JPEG.
    const cuts = [
      ["a", ["--pitch-um", "120"], ["--mpp", "1"], []],
      ["b", ["--pitch-um", "120", "--wsi", "jpeg"], ["--mpp", "1.2", "--px", "100"], []],
      ["c", ["--coarse"], ["--mpp", "0.25"], ["--rule", "v1"]],
    ] as const;
    for (const [name, own, scale, rule] of cuts) {
      const data = `${folder}/${name}`;
      const first = await run("st", `${folder}/in`, "--out", data, ...own, ...scale, ...rule);
      const generation = rule.length > 0 ? ["--generation", "v1"] : [];
      const again = await run("patches", data, "--out", `${data}-cut`, ...scale, ...generation);
      assert.equal(again.pairs, first.pairs);
      for (const path of ["patches/S1.h5", "st/S1.h5ad", "tissue_seg/S1_contours.geojson"]) {
        same(`${data}/${path}`, `${data}-cut/${path}`);
      }
    }
  });
});

Deno.test("a folder of patches cut again is one to train on, at its own pixel size", async () => {
  await inFolder(async (folder) => {
    await writeOuts(make(0), `${folder}/V1`);
    const [data, out] = [`${folder}/data`, `${folder}/cut`];
    await run("visium", `${folder}/V1`, "--out", data, "--id", "V1");
    const { pairs, samples } = await run("patches", `${data}/`, "--out", out, "--mpp", "0.25", "--px", "96");
    assert.deepEqual([samples.length, samples[0].pairs], [1, pairs]);
    const patches = await openPatches(disk.open(`${out}/patches/V1.h5`, "read"));
    assert.deepEqual([patches.width, patches.pixelSize, patches.sizeOnSlide], [96, 0.25, 48]);
    patches.close();
    const loaded = await loadSample(disk, findSamples(disk, [out])[0]!);
    assert.deepEqual([loaded.count, loaded.selfTest.verdict, loaded.patches.pixelSize], [pairs, "passed", 0.25]);
    assert.deepEqual(parseCatalogue(Deno.readTextFileSync(`${out}/HEST_v1_1_0.csv`), "csv").map(({ id }) => id), [
      "V1",
    ]);
    // Of 2024's generation the file says what its reader would not guess.
    await run("patches", data, "--out", `${folder}/v1`, "--mpp", "0.25", "--generation", "v1");
    const old = await openPatches(disk.open(`${folder}/v1/patches/V1.h5`, "read"));
    assert.deepEqual([old.generation, old.pixelSize, old.slidePixelSize], ["v1", 0.25, 0.5]);
    old.close();
    assert.equal((await loadSample(disk, findSamples(disk, [`${folder}/v1`])[0]!)).selfTest.verdict, "passed");

    // The same again is there; others are refused, and so is what cannot be cut, before anything is made.
    const again = await seal("convert", "patches", data, "--out", out, "--mpp", "0.25", "--px", "96");
    assert.match(again.err, /V1: is there/);
    const other = await seal("convert", "patches", data, "--out", out, "--mpp", "0.5");
    assert.deepEqual([other.code, /--mpp 0\.25, now 0\.5/.test(other.err)], [2, true], other.err);
    const refused = async (expected: RegExp, status: number, ...words: string[]) => {
      const { code, err } = await seal("convert", "patches", data, "--out", `${folder}/none`, ...words);
      assert.match(err, expected);
      assert.equal(code, status, err);
      assert.equal(disk.look(`${folder}/none`), undefined);
    };
    await refused(/has 1 sample, not this one/, 2, "--sample", "V2");
    assert.match((await seal("convert", "patches", data, "--out", `${data}/cut`)).err, /which is the input/);
    const json = `${data}/metadata/V1.json`;
    const metadata = Deno.readTextFileSync(json);
    Deno.writeTextFileSync(json, metadata.replace(/"fullres_px_width": \d+/, '"fullres_px_width": 77'));
    await refused(/has \d+x\d+ pixels, 77x\d+ wanted/, 4);
    Deno.writeTextFileSync(json, metadata.replace(/("pixel_size_um_estimated": )[\d.]+/, "$11.5"));
    await refused(/1\.500 µm a pixel, at most 1\.15/, 4);
    Deno.writeTextFileSync(json, metadata);
    const slide = Deno.readFileSync(`${data}/wsis/V1.tif`);
    Deno.writeFileSync(`${data}/wsis/V1.tif`, slide.subarray(0, slide.length >> 1));
    await refused(/V1\.tif/, 4);
    Deno.removeSync(`${data}/wsis/V1.tif`);
    await refused(/has no wsis\/V1\.tif/, 4);
  });
});
