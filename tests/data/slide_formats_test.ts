/** Slides in the formats that are met beside JPEG, against what OpenSlide and tifffile see; and those that are refused by name. */

import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { openSlide, type Slide } from "../../src/data/image/slide.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { decodeJpeg2000, loadJpeg2000 } from "../../src/io/image/jpeg2000.ts";
import { decodeWebp, loadWebp } from "../../src/io/image/webp.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { deflate } from "../../src/host/zlib.ts";
import { type Entry, makeTiff } from "../io/tiff_maker.ts";

const folder = new URL("../fixtures/slides/", import.meta.url);
const bytesOf = (name: string): Uint8Array => Deno.readFileSync(new URL(name, folder));
const open = (name: string): Promise<Slide> => openSlide(fromBytes(bytesOf(name), name));

/** Largest and mean difference of a level to what another reader saw. */
async function apart(slide: Slide, level: number, name: string): Promise<{ worst: number; mean: number }> {
  const wanted = decodeImage(bytesOf(`${name}.${level}.png`), name);
  const { width, height } = slide.levels[level]!;
  assert.deepEqual([width, height], [wanted.width, wanted.height], name);
  const { data } = await slide.read(level, 0, 0, width, height);
  let [worst, sum] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    const difference = Math.abs(data[i]! - wanted.data[i]!);
    worst = Math.max(worst, difference);
    sum += difference;
  }
  return { worst, mean: sum / data.length };
}

Deno.test("Slides give what OpenSlide and tifffile see: JPEG 2000 of both kinds, ZSTD, WebP, the largest image of OME", async () => {
  const most: Record<string, number> = {
    "j2k_rgb.svs": 0,
    "j2k_rgb_lossy.svs": 2,
    "j2k_ycc.svs": 2,
    "j2k_ycc_420.svs": 2,
    "j2k_plain.tif": 0,
    "zstd_tiles.tif": 0,
    "zstd_strips.tif": 0,
    "webp_exact.tif": 0,
    "webp_lossy.tif": 2,
    "two_series.ome.tif": 0,
  };
  for (const [name, limit] of Object.entries(most)) {
    const slide = await open(name);
    const levels = [...Deno.readDirSync(folder)].filter((file) => file.name.startsWith(`${name}.`)).length;
    assert.equal(slide.levels.length, levels, name);
    for (let level = 0; level < levels; level++) {
      const { worst, mean } = await apart(slide, level, name);
      assert.ok(worst <= limit && mean <= 0.5, `${name} ${level}: ${worst}, mean ${mean}`);
    }
    assert.equal(slide.notes.some((note) => /JPEG 2000.*3 million pixels a second/.test(note)), /j2k/.test(name), name);
  }
  const image = decodeImage(bytesOf("zstd_tiles.tif"), "zstd_tiles.tif");
  assert.deepEqual(image.data, decodeImage(bytesOf("zstd_tiles.tif.0.png"), "a.png").data);
  const ome = await open("two_series.ome.tif");
  assert.equal(ome.pixelSize.um, 0.25);
  assert.match(ome.notes.join(), /150x100 pixels, which is not its first/);
  assert.deepEqual(ome.associated, [{ width: 60, height: 40 }]);
});

Deno.test("OME-TIFF of 16 bits is refused: it is no brightfield image", async () => {
  const description = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image>' +
    '<Pixels SizeX="4" SizeY="4" SizeC="3" SizeZ="1" SizeT="1" DimensionOrder="XYCZT"/></Image></OME>';
  const directory = {
    width: 4,
    height: 4,
    samples: 3,
    data: new Uint8Array(96),
    more: [[258, 3, [16, 16, 16]]] as Entry[],
  };
  const open = (more: { description?: string }) =>
    openSlide(fromBytes(makeTiff([{ ...directory, ...more }]), "deep.tif"));
  await assert.rejects(open({ description }), /deep\.tif as TIFF: byte \d+ begins an image of OME-TIFF of 16 bits/);
  assert.equal((await open({})).levels[0]!.width, 4);
});

Deno.test("A tile that is left out comes from the next coarser level, and is white where there is none", async () => {
  const [missing, whole] = [await open("j2k_missing.svs"), await open("j2k_rgb.svs")];
  const [found, wanted] = [await missing.read(0, 0, 0, 150, 100), await whole.read(0, 0, 0, 150, 100)];
  const at = (image: typeof found, x: number, y: number) => [...image.data.subarray((y * 150 + x) * 3).slice(0, 3)];
  for (const [x, y] of [[0, 0], [63, 63], [128, 0], [149, 99], [64, 64]] as const) {
    assert.deepEqual(at(found, x, y), at(wanted, x, y));
  }
  // Tile 1 is x 64 to 127, y 0 to 63: the coarser level's first tile ends at x = 128.
  const coarse = await whole.read(1, 0, 0, 75, 50);
  const value = (x: number, y: number, c: number) => coarse.data[(y * 75 + x) * 3 + c]!;
  for (const [x, y] of [[64, 0], [100, 30], [126, 63]] as const) {
    const [u, v] = [(x + 0.5) / 2 - 0.5, Math.max(0, (y + 0.5) / 2 - 0.5)];
    const [i, j, s, t] = [Math.floor(u), Math.floor(v), u % 1, v % 1];
    for (let c = 0; c < 3; c++) {
      const upper = value(i, j, c) * (1 - s) + value(i + 1, j, c) * s;
      const lower = value(i, j + 1, c) * (1 - s) + value(i + 1, j + 1, c) * s;
      // Interpolation at the tile's last columns meets the coarser level's missing tile, which is white.
      if (i + 1 < 64) assert.equal(at(found, x, y)[c], Math.round(upper * (1 - t) + lower * t), `${x} ${y} ${c}`);
    }
  }
  const lower = await missing.read(1, 64, 0, 11, 50);
  assert.ok(lower.data.every((sample) => sample === 255));
});

Deno.test("A damaged tile is an error, or white and told once", async () => {
  const bytes = bytesOf("j2k_rgb.svs").slice();
  const start = bytes.findIndex((byte, i) => byte === 0xff && bytes[i + 1] === 0x4f && bytes[i + 2] === 0xff);
  bytes.fill(0, start + 200, start + 400);
  bytes.fill(0xff, start + 4, start + 12);
  const strict = await openSlide(fromBytes(bytesOf("j2k_rgb.svs"), "a.svs"));
  await strict.read(0, 0, 0, 150, 100);
  assert.deepEqual(strict.damaged, []);
  // What is wrong with the first tile is said when the slide is opened.
  await assert.rejects(openSlide(fromBytes(bytes, "a.svs")), /byte \d+ of chunk 0 .*header/);
  const zstd = bytesOf("zstd_tiles.tif").slice();
  const frame = zstd.findIndex((byte, i) => byte === 0x28 && zstd[i + 1] === 0xb5 && zstd[i + 2] === 0x2f);
  zstd.fill(0xff, frame, frame + 8);
  await assert.rejects((await openSlide(fromBytes(zstd, "a.tif"))).read(0, 0, 0, 9, 9), (error: FormatError) => {
    assert.match(error.message, /a\.tif as TIFF: byte \d+ begins damaged ZSTD data of chunk 0/);
    return true;
  });
  const slide = await openSlide(fromBytes(zstd, "a.tif"), { damagedTiles: "white", cacheBytes: 1 });
  for (let i = 0; i < 2; i++) {
    const { data } = await slide.read(0, 60, 0, 8, 1);
    assert.ok(
      data.subarray(0, 12).every((sample) => sample === 255) && data.subarray(12).some((sample) => sample < 255),
    );
  }
  assert.deepEqual(slide.damaged.map(({ level, tile }) => [level, tile]), [[0, 0]]);
});

Deno.test("A truncated pyramid is told when it is opened, and what is left can be read", async () => {
  const side = 64;
  const tile = (seed: number) => deflate(Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * seed) & 255));
  const [first, second] = [tile(3), tile(5)];
  const data = Uint8Array.from([...first, ...second]);
  const more: Entry[] = [[322, 4, [side]], [323, 4, [side]], [324, 4, [8, 1 << 20]], [325, 4, [
    first.length,
    second.length,
  ]]];
  const file = makeTiff([{ width: 2 * side, height: side, samples: 3, compression: 8, data, tiled: true, more }]);
  const slide = await openSlide(fromBytes(file, "cut.tif"));
  assert.match(slide.notes.join(), /1 of the 2 tiles of its level 0 lie beyond its end at \d+ bytes: it is truncated/);
  assert.equal((await slide.read(0, 1, 0, 1, 1)).data[0], 9);
  await assert.rejects(slide.read(0, 100, 0, 1, 1), /cut\.tif: byte \d+ is the end of the file/);
});

Deno.test("Formats that are not read are refused by name, with what mends it", async () => {
  const refused: Record<string, RegExp> = {
    "refused.jls": /JPEG-LS/,
    "refused.jxl": /JPEG XL/,
    "refused.j2k": /JPEG 2000/,
    "refused.jph": /HTJ2K/,
    "refused_htj2k.svs": /HTJ2K/,
    "refused_ndpi.tif": /Hamamatsu NDPI/,
    "refused_philips.tif": /Philips TIFF/,
    "refused_scn.tif": /Leica SCN/,
    "refused_bif.tif": /Ventana BIF/,
    "refused_jpegxl.tif": /JPEG XL/,
  };
  const check = (name: string, wanted: RegExp) => (error: FormatError) => {
    assert.ok(error instanceof FormatError, String(error));
    assert.match(error.message, wanted);
    assert.ok(error.message.includes(name) && error.exitCode === 4, error.message);
    assert.match(error.hint ?? "", /vips|bioformats2raw|raw2ometiff|PNG|opj_decompress|Export/, name);
    for (const key of ["file", "offset", "found", "expected"]) assert.ok(key in error.context, `${name}: ${key}`);
    return true;
  };
  for (const [name, wanted] of Object.entries(refused)) {
    await assert.rejects(open(name), check(name, wanted));
    assert.throws(
      () => decodeImage(bytesOf(name), name),
      check(name, name === "refused_htj2k.svs" ? /JPEG 2000/ : wanted),
    );
  }
  const named: Record<string, RegExp> = {
    "a.mrxs": /MIRAX/,
    "a b/ü.NDPI": /NDPI/,
    "a.bif": /BIF/,
    "a.czi": /CZI/,
    "a.vsi": /VSI/,
    "a.dcm": /DICOM/,
    "a.isyntax": /iSyntax/,
    "a.sdpc": /SDPC/,
    "a.kfb": /KFB/,
    "a.svslide": /SVSLIDE/,
  };
  for (const [name, wanted] of Object.entries(named)) {
    await assert.rejects(openSlide(fromBytes(new Uint8Array(9), name)), check(name, wanted));
  }
  const dicom = new Uint8Array(200);
  dicom.set(new TextEncoder().encode("DICM"), 128);
  await assert.rejects(openSlide(fromBytes(dicom, "a.tif")), check("a.tif", /DICOM/));
  await assert.rejects(openSlide(fromBytes(new Uint8Array(), "none.svs")), /none\.svs: it begins as an empty file/);
});

Deno.test("Codestreams that claim too much, and mutants of good ones, are errors and break nothing", async () => {
  await loadJpeg2000();
  await loadWebp();
  const good = bytesOf("refused.j2k");
  const wanted = decodeJpeg2000(good, "good");
  assert.deepEqual([wanted.width, wanted.height, wanted.components, wanted.bits], [64, 64, 3, 8]);
  for (const [places, value, said] of [[[8], 0x7fffffff, /2147483647x64/], [[24, 28], 0, /Infinity tiles/]] as const) {
    const bytes = good.slice();
    for (const at of places) new DataView(bytes.buffer).setUint32(at, value);
    assert.throws(() => decodeJpeg2000(bytes, "bomb"), said);
  }
  assert.throws(() => decodeJpeg2000(good.subarray(0, 20), "short"), FormatError);
  assert.throws(() => decodeJpeg2000(good.subarray(0, 3000), "short"), FormatError);
  await loadJpeg2000();
  assert.deepEqual(decodeJpeg2000(good, "good").data, wanted.data);
  const file = bytesOf("webp_exact.tif");
  const riff = file.findIndex((_, i) => String.fromCharCode(...file.subarray(i, i + 4)) === "RIFF");
  const webp = file.slice(riff, riff + 8 + new DataView(file.buffer).getUint32(riff + 4, true));
  assert.equal(decodeWebp(webp, "good", 1 << 20).width, 64);
  assert.throws(() => decodeWebp(webp, "bomb", 100), /claims 64x64 pixels, expected at most 100/);
  assert.throws(() => decodeWebp(webp.subarray(0, 900), "short", 1 << 20), FormatError);
});
