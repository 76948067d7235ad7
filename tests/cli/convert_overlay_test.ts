/** `convert overlay` as users run it. */

import assert from "node:assert/strict";
import { disk } from "../../src/io/fs.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { encodePng } from "../../src/io/image/png_write.ts";
import { colourOf } from "../../src/core/colour_maps.ts";
import { inFolder, seal, tree } from "./shared.ts";

const overlay = (...words: string[]) => seal("convert", "overlay", ...words);
const GREY = 200;

/** Slides of 80 x 60 px of one grey, tiles of 20 px, and their attention and coordinates as predict and TRIDENT write them. */
async function cohort(folder: string): Promise<void> {
  for (const part of ["slides", "attention"]) Deno.mkdirSync(`${folder}/${part}`);
  const image = encodePng({ width: 80, height: 60, data: new Uint8Array(80 * 60 * 3).fill(GREY) });
  const begin = await H5Writer.prepare();
  for (const [name, values] of [["a", [1, 2, 3, 4]], ["b ü", [8, 4, 4, 4]]] as const) {
    Deno.writeFileSync(`${folder}/slides/${name}.png`, image);
    disk.writeAnywhere(`${folder}/attention/${name}.h5`, (file) => {
      const h5 = begin(file);
      h5.dataset("/attention", "f4", [4], Float32Array.from(values, (value) => value / 20));
      h5.dataset("/coords", "i4", [4, 2], Int32Array.of(0, 0, 20, 0, 40, 20, 60, 40));
      const said = { patch_size_level0: 20, name, level0_width: 80, level0_height: 60 };
      for (const [key, value] of Object.entries(said)) h5.attribute("/coords", key, value);
      h5.close();
    });
  }
}

const pixel = (path: string, x: number, y: number) => {
  const { data, width } = decodeImage(Deno.readFileSync(path), path);
  return [...data.subarray(3 * (y * width + x)).slice(0, 3)];
};
const blended = (share: number, opacity = 0.4, map: Parameters<typeof colourOf>[1] = "coolwarm") =>
  colourOf(share, map).map((value) => Math.round((1 - opacity) * GREY + opacity * value));

Deno.test("convert overlay draws a folder of attention over its slides, with squares for QuPath; again it is there", () =>
  inFolder(async (folder) => {
    await cohort(folder);
    const out = `${folder}/maps`;
    const words = [`${folder}/attention`, "--slide", `${folder}/slides`, "--out", out];
    const { code, out: json, err } = await overlay(...words, "--json");
    assert.equal(code, 0, err);
    const { slides, failed, without } = JSON.parse(json);
    assert.deepEqual([failed, without], [[], []]);
    assert.deepEqual(slides[0], {
      ...{ name: "a", tiles: 4, geojson: "a.geojson", notes: [] },
      scores: { attention: { low: Math.fround(0.05), high: Math.fround(0.2), file: "a.attention.png" } },
    });
    for (const [i, [x, y]] of [[0, 0], [20, 0], [40, 20], [60, 40]].entries()) {
      for (const [dx, dy] of [[0, 0], [19, 19]] as const) {
        assert.deepEqual(pixel(`${out}/a.attention.png`, x! + dx, y! + dy), blended((i + 1) / 4));
      }
    }
    assert.deepEqual(pixel(`${out}/a.attention.png`, 79, 0), [GREY, GREY, GREY]);
    // Three are equal: their ranks are averaged.
    assert.deepEqual(pixel(`${out}/b ü.attention.png`, 45, 25), blended(0.5));
    const { features } = JSON.parse(Deno.readTextFileSync(`${out}/a.geojson`));
    assert.deepEqual(features[3], {
      type: "Feature",
      properties: {
        ...{ objectType: "tile", name: "x60y40" },
        measurements: { attention: Math.fround(0.2), attention_percentile: 1 },
      },
      geometry: { type: "Polygon", coordinates: [[[60, 40], [80, 40], [80, 60], [60, 60], [60, 40]]] },
    });
    const before = tree(out);
    const again = await overlay(...words);
    assert.deepEqual([again.code, tree(out)], [0, before]);
    assert.match(again.err, /a: is there/);
    const other = await overlay(...words, "--scale", "minmax");
    assert.equal(other.code, 2);
    assert.match(other.err, /Cannot write a in .*maps: it was made with .*--scale/);
    const linear = await overlay(
      ...[...words, "--overwrite", "--range", "0,0.4", "--cmap", "gray", "--opacity", "1", "--tiles", "0"],
      ...["--geojson", "qupath04"],
    );
    assert.equal(linear.code, 0, linear.err);
    assert.deepEqual(pixel(`${out}/a.attention.png`, 45, 25), blended(0.375, 1, "gray"));
    const old = JSON.parse(Deno.readTextFileSync(`${out}/a.geojson`)).features[0].properties.measurements;
    assert.deepEqual(old[1], { name: "attention_percentile", value: 0.25 });
  }));

Deno.test("convert overlay takes a table and an array with another program's coordinates; what does not fit is refused or listed", () =>
  inFolder(async (folder) => {
    await cohort(folder);
    const [slide, coords] = [`${folder}/slides/a.png`, `${folder}/attention`];
    Deno.writeTextFileSync(`${folder}/s.txt`, "4\n3\n2\n1\n");
    const given = await overlay(`${folder}/s.txt`, "--coords", coords, "--slide", slide, "--out", `${folder}/t`);
    assert.equal(given.code, 0, given.err);
    assert.deepEqual(pixel(`${folder}/t/a.score.png`, 5, 5), blended(1));
    Deno.writeTextFileSync(`${folder}/s.csv`, "x,y,p/1\n0,0,1\n20,0,nan\n");
    const table = [`${folder}/s.csv`, "--slide", slide, "--out", `${folder}/c`];
    const refused: [words: string[], code: number, why: RegExp][] = [
      [table, 4, /nothing says how large a tile is.*--tile-side.*20 is the smallest step/s],
      [[...table, "--tile-side", "20"], 4, /row 1, has NaN in p\/1.*--missing skip/s],
      [[...table, "--tile-side", "20", "--score", "q"], 4, /Cannot draw q of .*: it has p\/1/],
      [[`${folder}/s.txt`, "--slide", slide, "--out", `${folder}/c`], 4, /has no coordinates.*--coords/s],
      [
        [`${folder}/s.txt`, "--coords", `${coords}/b ü.h5`, "--slide", slide, "--out", `${folder}/e`],
        0,
        /a slide called b ü/,
      ],
      [[`${folder}/none`, "--slide", slide, "--out", `${folder}/d`], 4, /there is no such file or folder/],
      [[coords, "--slide", `${folder}/none`, "--out", `${folder}/d`], 4, /Cannot draw over .*none: there is no such/],
      [[coords, "--slide", slide], 2, /wanted SCORES --slide SLIDE --out DIR/],
      [[coords, "--out", `${folder}/d`], 2, /wanted SCORES --slide SLIDE --out DIR/],
      [[coords, "--slide", slide, "--out", `${folder}/d`, "--range", "1,0"], 2, /--range 1,0: wanted LOW,HIGH/],
      [[coords, "--slide", slide, "--out", `${folder}/d`, "--to", "clam"], 2, /Cannot use --to with convert overlay/],
    ];
    for (const [words, code, why] of refused) {
      const found = await overlay(...words);
      assert.equal(found.code, code, found.err);
      assert.match(found.err, why);
      for (const out of ["c", "d"]) assert.equal(disk.look(`${folder}/${out}`), undefined);
    }
    // One file for two slides says of which its rows are, or is refused.
    Deno.writeTextFileSync(`${folder}/all.csv`, "slide_id,x,y,p\na,0,0,1\nb ü,20,0,2\n");
    const all = ["--slide", `${folder}/slides`, "--tile-side", "20", "--json", "--out"];
    const both = await overlay(`${folder}/all.csv`, ...all, `${folder}/both`);
    assert.deepEqual([both.code, JSON.parse(both.out).slides.length], [0, 2], both.err);
    const unnamed = await overlay(`${folder}/s.csv`, "--missing", "skip", ...all, `${folder}/unnamed`);
    assert.equal(unnamed.code, 3, unnamed.err);
    assert.match(unnamed.err, /over several slides: nothing says of which they are.*column slide_id/);
    const skipped = await overlay(...table.slice(0, -1), `${folder}/k`, "--tile-side", "20", "--missing", "skip");
    assert.deepEqual([skipped.code, Deno.statSync(`${folder}/k/a.p_1.png`).isFile], [0, true], skipped.err);
    // Of two slides one has scores of another size, and a third none.
    Deno.copyFileSync(slide, `${folder}/slides/c.png`);
    const small = encodePng({ width: 40, height: 60, data: new Uint8Array(40 * 60 * 3) });
    Deno.writeFileSync(`${folder}/slides/b ü.png`, small);
    const mixed = await overlay(coords, "--slide", `${folder}/slides`, "--out", `${folder}/m`, "--json");
    assert.equal(mixed.code, 3, mixed.err);
    const { slides, failed, without } = JSON.parse(mixed.out);
    assert.deepEqual([slides.map(({ name }: { name: string }) => name), without], [["a"], ["c"]]);
    assert.match(failed[0].error, /a slide of 80x60 pixels, expected 40x60/);
    assert.deepEqual([...Deno.readDirSync(`${folder}/m`)].map(({ name }) => name).sort(), [
      "a.attention.png",
      "a.geojson",
      "convert.json",
    ]);
  }));
