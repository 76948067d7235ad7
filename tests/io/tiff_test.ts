import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { openTiff } from "../../src/io/image/tiff.ts";
import { Sha256 } from "../../src/host/zlib.ts";
import { mutate } from "./mutate.ts";
import { taken } from "./taken.ts";

const folder = new URL("../fixtures/tiff/", import.meta.url);
interface Expected {
  width: number;
  height: number;
  sha256: string;
}
const expected = JSON.parse(Deno.readTextFileSync(new URL("expected.json", folder))) as {
  images: Record<string, Expected & { mode: string }>;
};
const read = (name: string): Uint8Array => Deno.readFileSync(new URL(name, folder));
const sha = (data: Uint8Array): string => new Sha256().update(data).hex();

Deno.test("decodeImage() gives PIL's bytes for every kind of TIFF", () => {
  for (const [name, { mode, width, height, sha256 }] of Object.entries(expected.images)) {
    const image = decodeImage(read(name), name);
    assert.deepEqual(
      [name, image.width, image.height, image.mode, sha(image.data)],
      [name, width, height, mode, sha256],
    );
  }
});

Deno.test("decodeImage() refuses by name what TIFF holds and is not read", () => {
  const refused = {
    "refused_webp.tif": /compression WebP/,
    "refused_lerc.tif": /compression LERC/,
    "refused_lzma.tif": /compression LZMA/,
    "refused_jpeg2000.tif": /compression JPEG 2000/,
    "refused_predictor3.tif": /32, 32, 32 bits/,
    "refused_float.tif": /32, 32, 32 bits/,
    "grey16.tif": /16-bit grey/,
  };
  for (const [name, wanted] of Object.entries(refused)) {
    assert.throws(() => decodeImage(read(name), name), (error: FormatError) => {
      assert.ok(error instanceof FormatError, String(error));
      assert.match(error.message, wanted);
      assert.equal(error.context.file, name);
      return typeof error.context.offset === "number" || name === "grey16.tif";
    });
  }
});

/** A little-endian TIFF of one directory after `data`, which begins at 8. */
function made(entries: [tag: number, type: number, count: number, value: number][], data: Uint8Array, next = 0) {
  const at = 8 + data.length;
  const bytes = new Uint8Array(at + 2 + 12 * entries.length + 4);
  const view = new DataView(bytes.buffer);
  bytes.set([0x49, 0x49, 42, 0]);
  view.setUint32(4, at, true);
  bytes.set(data, 8);
  view.setUint16(at, entries.length, true);
  entries.forEach(([tag, type, count, value], i) => {
    const o = at + 2 + 12 * i;
    view.setUint16(o, tag, true);
    view.setUint16(o + 2, type, true);
    view.setUint32(o + 4, count, true);
    view.setUint32(o + 8, value, true);
  });
  view.setUint32(at + 2 + 12 * entries.length, next, true);
  return bytes;
}

const data = new Uint8Array(16);
const grey = (changes: Record<number, number> = {}): [number, number, number, number][] =>
  Object.entries({ 256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 4, 279: 16, ...changes }).map((
    [tag, value],
  ) => [Number(tag), 4, 1, value]);

Deno.test("openTiff() says where a file is damaged, what it found and what it expected", async () => {
  const cases: [Uint8Array, RegExp][] = [
    [made(grey(), data, 24), /leads back to the directory at 24/],
    [made(grey({ 330: 24 }), data), /leads back to the directory at 24/],
    [made(grey(), data, 9999), /names a directory at 9999/],
    [made(grey({ 256: 0 }), data), /has width 0, expected a whole number/],
    [made(grey({ 257: 9, 278: 4 }), data), /has 1 values of tag 273, expected 3/],
    [made(grey({ 322: 1, 323: 1 }), data), /has 0 values of tag 324, expected 16/],
    [made(grey({ 259: 34887 }), data), /compression LERC/],
    [made(grey({ 259: 34712 }), data), /of chunk 0 begins something else, expected a codestream/],
    [made(grey({ 262: 8 }), data), /photometric 8/],
    [made(grey({ 266: 2 }), data), /fill order 2/],
    [made(grey({ 277: 5 }), data), /has 5 samples of black is zero/],
    [made([[256, 4, 2 ** 31, 0]], data), /gives tag 256 8589934592 bytes/],
    [made([[256, 99, 1, 0]], data), /has type 99 of tag 256/],
    [made(grey().filter(([tag]) => tag !== 262), data), /has no photometric/],
    [made([], data), /a directory of 0 entries/],
    [read("rgb_lzw.tif").slice(0, 7), /begins no TIFF/],
  ];
  for (const [bytes, wanted] of cases) {
    await assert.rejects(openTiff(fromBytes(bytes, "a.tif")), (error: FormatError) => {
      assert.ok(error instanceof FormatError, String(error));
      assert.match(error.message, wanted);
      const { file, offset, found, expected } = error.context;
      assert.ok(file === "a.tif" && typeof offset === "number" && found !== undefined && expected !== undefined);
      return true;
    });
  }
});

Deno.test("Of entries of one tag the first counts", async () => {
  const twice = grey().flatMap((entry) => entry[0] === 256 ? [entry, [256, 4, 1, 2] as typeof entry] : [entry]);
  const { levels } = await openTiff(fromBytes(made(twice, data), "a.tif"));
  assert.deepEqual(levels.map(({ width, height }) => [width, height]), [[4, 4]]);
});

Deno.test("LZW of the time before TIFF 5 is refused by name", () => {
  const old = made(grey({ 259: 5 }), Uint8Array.from([0, 1, ...new Uint8Array(14)]));
  assert.throws(() => decodeImage(old, "old.tif"), /begins LZW of chunk 0 as before TIFF 5/);
});

Deno.test("Chunks that claim more than their data can give are refused before memory is taken", async () => {
  for (
    const [code, side] of [[1, 12_000], [5, 12_000], [8, 12_000], [32773, 12_000], [7, 12_000], [5, 2 ** 31]] as const
  ) {
    const bytes = made(grey({ 256: side, 257: side, 278: side, 259: code }), data);
    const most = await taken(() => assert.throws(() => decodeImage(bytes, "bomb.tif"), FormatError));
    assert.ok(most < 1e6, `${most} bytes`);
  }
});

Deno.test("pixel sizes are taken where they can be true, and doubted where they cannot", async () => {
  const sizes: [name: string, um: number | undefined, claimed: number | undefined, source: string, problem?: RegExp][] =
    [
      ["vips_lzw.tif", 0.5, 0.5, "resolution-tag"],
      ["vips_off_by_ten.tif", undefined, 0.05, "resolution-tag", /0\.05 µm wide.*ten times that, 0\.5 µm, is likely/],
      ["aperio.svs", 0.499, 0.499, "aperio"],
      ["ome.tif", 0.25, 0.25, "ome"],
      ["pil_lzw.tif", undefined, 352.778, "resolution-tag", /352\.8 µm wide, expected 0\.1 to 10 µm/],
      ["rgb_lzw.tif", undefined, undefined, "resolution-tag", /no unit/],
      ["pil_jpeg_strips.tif", undefined, undefined, "none"],
    ];
  for (const [name, um, claimed, source, problem] of sizes) {
    const { pixelSize } = await openTiff(fromBytes(read(name), name));
    const round = (x?: number) => x === undefined ? undefined : Number(x.toPrecision(6));
    assert.deepEqual([name, round(pixelSize.um), round(pixelSize.claimed), pixelSize.source], [
      name,
      um,
      claimed,
      source,
    ]);
    if (problem === undefined) assert.equal(pixelSize.problem, undefined);
    else assert.match(pixelSize.problem!, problem);
  }
});

Deno.test("openTiff() and decodeImage() answer 500 mutations with FormatError or an image, in little memory", async () => {
  const names = [
    "rgb_lzw_predictor.tif",
    "rgb_deflate.tif",
    "jpeg_ycc_420.tif",
    "rgb_bigtiff_tiles.tif",
    "turned_6.tif",
  ];
  const seeds = [...names, "aperio.svs", "ome.tif", "vips_subifd.tif"].map(read);
  for (let i = 0; i < 500; i++) {
    const rng = new Rng(77, i);
    const seed = seeds[i % seeds.length]!;
    // Directories stand at the end in some files, and at the beginning in others.
    const cut = rng.below(2) ? Math.max(0, seed.length - 600) : 0;
    const bytes = Uint8Array.from([...seed.subarray(0, cut), ...mutate(seed.subarray(cut), rng, 400)]);
    for (const use of [() => decodeImage(bytes, "mutant"), () => readWhole(bytes)]) {
      const most = await taken(async () => {
        try {
          await use();
        } catch (error) {
          assert.ok(error instanceof FormatError, `mutant ${i}: ${(error as Error).stack}`);
          const { file, found, expected } = error.context;
          assert.ok(file === "mutant" && found !== undefined && expected !== undefined, error.message);
        }
      });
      assert.ok(most < 1e8, `mutant ${i} takes ${most} bytes`);
    }
  }
});

async function readWhole(bytes: Uint8Array): Promise<void> {
  const { levels } = await openTiff(fromBytes(bytes, "mutant"));
  for (const { width, height, chunkWidth, chunkHeight, read } of levels) {
    const count = Math.ceil(width / chunkWidth) * Math.ceil(height / chunkHeight);
    for (let i = 0; i < Math.min(count, 8); i++) await read(i);
  }
}

Deno.test("A BigTIFF beyond 4 GiB is read by range", async () => {
  const directoryAt = 5_000_000_000;
  const tileAt = 5_500_000_000;
  const entries: [tag: number, type: number, value: number][] = [
    [256, 4, 16],
    [257, 4, 16],
    [258, 3, 8],
    [259, 3, 1],
    [262, 3, 1],
    [322, 3, 16],
    [323, 3, 16],
    [324, 16, tileAt],
    [325, 16, 256],
  ];
  const head = new DataView(new ArrayBuffer(16));
  head.setUint32(0, 0x4d4d_002b);
  head.setUint16(4, 8);
  head.setBigUint64(8, BigInt(directoryAt));
  const directory = new DataView(new ArrayBuffer(8 + 20 * entries.length + 8));
  directory.setBigUint64(0, BigInt(entries.length));
  entries.forEach(([tag, type, value], i) => {
    directory.setUint16(8 + 20 * i, tag);
    directory.setUint16(10 + 20 * i, type);
    directory.setBigUint64(12 + 20 * i, 1n);
    if (type === 3) directory.setUint16(20 + 20 * i, value);
    else if (type === 4) directory.setUint32(20 + 20 * i, value);
    else directory.setBigUint64(20 + 20 * i, BigInt(value));
  });
  const places: [number, ArrayBuffer][] = [[0, head.buffer], [directoryAt, directory.buffer], [
    tileAt,
    new Uint8Array(256).map((_, i) => i).buffer,
  ]];
  const { levels } = await openTiff({
    name: "large.tif",
    size: 6_000_000_000,
    read: (offset, length) => {
      const [at, buffer] = places.findLast(([at]) => at <= offset)!;
      return Promise.resolve(new Uint8Array(buffer.slice(offset - at, offset - at + length)));
    },
  });
  assert.deepEqual(await levels[0]!.read(0), new Uint8Array(768).map((_, i) => Math.floor(i / 3)));
});
