/** Features of slides in the forms of CLAM, STAMP, eva and npy, and back; TRIDENT's own types. */

import assert from "node:assert/strict";
import { DataError } from "../../src/core/errors.ts";
import { convertFeatures, evaManifest, type FeatureForm } from "../../src/embed/convert_features.ts";
import { writeFeatures } from "../../src/embed/formats.ts";
import { checkContent, openFeatures } from "../../src/io/features.ts";
import { disk } from "../../src/io/fs.ts";
import { H5File } from "../../src/io/hdf5/h5.ts";
import { chooseTiles, layGrid } from "../../src/slides/grid.ts";
import { exitStatusOf, parseStates, type SlideState, statesJson, summaryMarkdown } from "../../src/slides/states.ts";
import { slidePaths, tileAttributes, writeTiles } from "../../src/slides/tree.ts";

const COUNT = 11;
const DIM = 6;
const values = Float32Array.from({ length: COUNT * DIM }, (_, i) => (i % 17) / 8 - 1);
const slide = { name: "S 1-ü", levels: [{ width: 3000, height: 900, downsample: 1 }], um: 0.25 };

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The features of a slide as an embedding writes them. */
async function written(folder: string, strict = false, count = COUNT): Promise<string> {
  const grid = layGrid(slide, { scale: "nominal", magnification: 20, patch: 128, overlap: 0 });
  const tiles = chooseTiles(slide, grid, undefined, { minTissue: 0 });
  const coords = tiles.coords.subarray(0, 2 * count);
  const path = `${folder}/${slide.name}.h5`;
  const coordsAttributes = tileAttributes(slide, grid, { um: 0.25, source: "aperio", notes: [] }, "patches");
  await writeFeatures(disk, path, "h5", {
    ...{ count, dim: DIM, coords, coordsAttributes, trident: { strict } },
    attributes: { name: slide.name, savetodir: "features", encoder: "uni_v2", licence: "CC-BY-NC-ND-4.0" },
  }, (from, to) => values.subarray(from * DIM, to * DIM));
  return path;
}

Deno.test("Features have TRIDENT's types and attributes; with strict a row is a chunk, without tissue there are no rows", async () => {
  await inFolder(async (folder) => {
    for (const [strict, count] of [[false, COUNT], [true, COUNT], [false, 0]] as const) {
      using file = await H5File.open(disk.open(await written(folder, strict, count), "read"));
      assert.deepEqual([file.info("/features").dtype, file.info("/features").shape], ["f4", [count, DIM]]);
      assert.deepEqual([file.info("/coords").dtype, file.info("/coords").shape], ["i8", [count, 2]]);
      const { name, encoder } = file.attributes("/features");
      assert.deepEqual([name, encoder], [slide.name, "uni_v2"]);
      const said = file.attributes("/coords");
      const wanted = {
        ...{ patch_size: 128, patch_size_level0: 256, level0_magnification: 40, target_magnification: 20, overlap: 0 },
        ...{ name: slide.name, savetodir: "patches", level0_width: 3000, level0_height: 900 },
        ...{ coords_of: "top-left", scale: "nominal", mpp_level0: 0.25, mpp_source: "aperio", mpp_target: 0.5 },
      };
      for (const [key, value] of Object.entries(wanted)) assert.equal(said[key], value, key);
      const features = await openFeatures(disk.open(`${folder}/${slide.name}.h5`, "read"));
      await checkContent(features);
      features.close();
      Deno.removeSync(`${folder}/${slide.name}.h5`);
    }
  });
});

Deno.test("Features go to CLAM, STAMP, npy and eva and come back as they were", async () => {
  await inFolder(async (folder) => {
    const path = await written(folder);
    const original = await openFeatures(disk.open(path, "read"));
    const coords = original.coords!;
    original.close();
    for (const form of ["clam", "stamp", "npy", "eva", "trident"] as FeatureForm[]) {
      const out = `${folder}/${form}`;
      for (const part of ["h5_files", "pt_files", "back"]) Deno.mkdirSync(`${out}/${part}`, { recursive: true });
      const { name, rows, dim, files, notes } = await convertFeatures(disk, path, out, form);
      assert.deepEqual([name, rows, dim], [slide.name, COUNT, DIM]);
      assert.deepEqual(notes, [], form);
      for (const file of files.filter((file) => !/_coords\.npy$/.test(file))) {
        const again = await openFeatures(disk.open(file, "read"));
        assert.deepEqual(await again.read(), values, file);
        again.close();
        if (form === "eva" || /\.pt$/.test(file)) {
          await assert.rejects(convertFeatures(disk, file, `${out}/back`, "stamp"), /coordinates is wanted/);
          continue;
        }
        if (form === "npy") {
          await assert.rejects(convertFeatures(disk, file, `${out}/back`, "trident"), /the side of a tile is wanted/);
          continue;
        }
        const back = await convertFeatures(disk, file, `${out}/back`, "trident", form === "stamp" ? { mpp: 0.25 } : {});
        const found = await openFeatures(disk.open(back.files[0]!, "read"));
        await checkContent(found);
        assert.deepEqual([await found.read(), found.coords], [values, coords], form);
        found.close();
        using h5 = await H5File.open(disk.open(back.files[0]!, "read"));
        assert.equal(h5.attributes("/coords")["patch_size_level0"], 256, form);
      }
    }
    using stamp = await H5File.open(disk.open(`${folder}/stamp/${slide.name}.h5`, "read"));
    assert.deepEqual([stamp.info("/feats").dtype, stamp.info("/feats").shape], ["f2", [COUNT, DIM]]);
    const root = stamp.attributes("/");
    assert.deepEqual(
      ["unit", "tile_size_um", "tile_size_px", "extractor", "feat_type"].map((key) => root[key]),
      ["um", 64, 128, "uni_v2", "tile"],
    );
    assert.deepEqual([...stamp.numbers("/coords").slice(0, 4)], [0, 0, 64, 0]);
    using clam = await H5File.open(disk.open(`${folder}/clam/h5_files/${slide.name}.h5`, "read"));
    assert.deepEqual([clam.info("/coords").dtype, clam.attributes("/coords")["patch_level"]], ["i4", 0]);
    assert.equal(evaManifest([{ name: "a, b" }]), 'origin,embeddings,target,split,wsi_id\n"a, b","a, b.pt",,,"a, b"\n');
  });
});

Deno.test("STAMP's features have 16 bits: the nearest numbers, said where they are others, refused where none is near", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/s.h5`;
    Deno.mkdirSync(`${folder}/stamp`);
    Deno.mkdirSync(`${folder}/back`);
    const attributes = { patch_size: 224, patch_size_level0: 448, mpp_level0: 0.25 };
    const convert = async (rows: readonly number[], dim: number) => {
      const count = rows.length / dim;
      await writeFeatures(disk, path, "h5", {
        ...{ count, dim, coords: new Int32Array(2 * count), coordsAttributes: attributes, trident: { strict: false } },
        attributes: { encoder: "uni_v2" },
      }, (from, to) => Float32Array.from(rows.slice(from * dim, to * dim)));
      const { files, notes } = await convertFeatures(disk, path, `${folder}/stamp`, "stamp");
      const stamp = await openFeatures(disk.open(files[0]!, "read"));
      const found = [...await stamp.read()];
      stamp.close();
      // Once more, by way of ours: the same bytes.
      const before = Deno.readFileSync(files[0]!);
      const back = await convertFeatures(disk, files[0]!, `${folder}/back`, "trident", { mpp: 0.25 });
      await convertFeatures(disk, back.files[0]!, `${folder}/stamp`, "stamp", { mpp: 0.25 });
      assert.deepEqual(Deno.readFileSync(files[0]!), before);
      return { found, notes };
    };
    // 2^-24 is the smallest; 65504 the largest; 0.1 and pi are none; odd numbers of elements too.
    const exact = [1, -0, 65504, -2, 2 ** -24, 2 ** -14, 0.5, 0.25, 2049 - 1];
    assert.deepEqual(await convert(exact, 3), { found: exact, notes: [] });
    const rounded = await convert([0.1, Math.PI, 2049, -7, 1, 2], 2);
    assert.deepEqual(rounded.found, [0.0999755859375, 3.140625, 2048, -7, 1, 2]);
    assert.deepEqual(rounded.notes, ["features are rounded to 16 bits, as STAMP stores them"]);
    await assert.rejects(
      convert([1, 2, 3, 70000], 2),
      (e: DataError) => e instanceof DataError && /row 1 has 70000, 16 bits hold at most 65504/.test(e.message),
    );
  });
});

Deno.test("Files of other programs are converted; what they lack is named, and STAMP has no file without tiles", async () => {
  await inFolder(async (folder) => {
    const fixture = (name: string) => new URL(`../fixtures/slide_features/${name}`, import.meta.url).pathname;
    for (const name of ["trident.h5", "stamp.h5"]) {
      const { rows, dim, files } = await convertFeatures(disk, fixture(name), folder, "trident", { mpp: 0.5 });
      assert.deepEqual([rows, dim], [12, 5]);
      const found = await openFeatures(disk.open(files[0]!, "read"));
      assert.deepEqual([...found.coords!.slice(0, 4)], [0, 0, 256, 512], name);
      found.close();
    }
    await assert.rejects(convertFeatures(disk, fixture("stamp.h5"), folder, "trident"), (e: DataError) => {
      return e instanceof DataError && /stamp: the pixel size is wanted/.test(e.message) && /--mpp/.test(e.hint!);
    });
    await assert.rejects(convertFeatures(disk, fixture("trident.h5"), folder, "stamp"), /the pixel size is wanted/);
    const empty = await written(folder, false, 0);
    assert.deepEqual((await convertFeatures(disk, empty, folder, "stamp")).files, []);
    assert.equal((await convertFeatures(disk, empty, folder, "npy")).rows, 0);
  });
});

Deno.test("A slide's tiles are written where TRIDENT has them, with their share of tissue", async () => {
  await inFolder(async (folder) => {
    const grid = layGrid(slide, { scale: "physical", tile: 112, pixelSize: 0.5, overlap: 0 });
    const paths = slidePaths(slide.name, grid, "uni_v2");
    assert.equal(paths.patches, `112um_224px_0um_overlap/patches/${slide.name}_patches.h5`);
    assert.equal(paths.features, `112um_224px_0um_overlap/features_uni_v2/${slide.name}.h5`);
    const square = Float64Array.of(0, 0, 600, 0, 600, 500, 0, 500, 0, 0);
    const tiles = chooseTiles(slide, grid, [{ exterior: square, holes: [] }], { minTissue: 0.2 });
    const attributes = tileAttributes(slide, grid, { um: 0.25, source: "flag", notes: [] }, "p");
    await writeTiles(disk, `${folder}/t.h5`, tiles, attributes);
    using file = await H5File.open(disk.open(`${folder}/t.h5`, "read"));
    assert.deepEqual([...file.numbers("/coords")], [...tiles.coords]);
    assert.deepEqual(Float32Array.from(file.numbers("/tissue")), tiles.tissue);
    const { patch_size: patch, patch_size_level0: side, scale, mpp_target: target } = file.attributes("/coords");
    assert.deepEqual([patch, side, scale, target], [224, 448, "physical", 0.5]);
  });
});

Deno.test("States of slides are written and read; the summary has those that need a look first, and the status is 3 then", () => {
  const state = (name: string, status: SlideState["status"], more: Partial<SlideState> = {}): SlideState => ({
    ...{ name, status, tiles: status === "done" ? 10 : 0, damaged: 0, facts: { share: 0.2 } },
    ...more,
  });
  const states = [
    state("a", "done"),
    state("b|c", "failed", { reason: "it is\ntruncated" }),
    state("d", "empty"),
    state("e", "skipped", { damaged: 2 }),
  ];
  for (const one of states) assert.deepEqual(parseStates(statesJson([one]), "s.json"), [one]);
  const both = [state("a", "failed", { features: "g/features_y" }), state("a", "done", { features: "g/features_x" })];
  assert.deepEqual(parseStates(statesJson(both), "s.json"), both);
  const whole = { name: "a", status: "done", tiles: 1, damaged: 0, facts: {} };
  for (
    const text of [
      ...["", "{}", "[1]", "null", '{"name":"a","status":"gone","tiles":1,"damaged":0,"facts":{}}'],
      ...[{ others: 3 }, { others: [{}] }, { features: 1 }, { others: [null] }].map((more) =>
        JSON.stringify({ ...whole, ...more })
      ),
    ]
  ) {
    assert.throws(() => parseStates(text, "s.json"), /s\.json as the state of a slide/, text);
  }
  const part = { states, about: [["encoder", "uni_v2, licence CC-BY-NC-ND-4.0"]] as [string, string][] };
  const text = summaryMarkdown(new Map([["g/features_x", part]]));
  assert.match(text, /4 slides: 1 done, 1 empty, 1 failed, 1 skipped; 10 tiles\./);
  assert.match(text, /- encoder: uni_v2, licence CC-BY-NC-ND-4\.0/);
  const rows = text.split("\n").filter((line) => line.startsWith("| ")).slice(1);
  assert.deepEqual(rows.map((row) => row.split(" | ")[1]), ["failed", "empty", "skipped", "done"]);
  assert.match(rows[0]!, /^\| b\\\|c \| failed \| 0 \| 0 \| it is truncated \|$/);
  const parts = new Map([["g/features_x", part], ["g/features_y", { ...part, states: states.slice(0, 1) }]]);
  assert.deepEqual(summaryMarkdown(parts).split("\n").filter((line) => /^#|slides: /.test(line)), [
    "# Slides",
    ...["## g/features_x", "4 slides: 1 done, 1 empty, 1 failed, 1 skipped; 10 tiles."],
    ...["## g/features_y", "1 slides: 1 done; 10 tiles."],
  ]);
  assert.deepEqual([exitStatusOf(states), exitStatusOf([states[0]!]), exitStatusOf([])], [3, 0, 0]);
});
