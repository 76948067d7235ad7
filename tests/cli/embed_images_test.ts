/** `embed` of images: what claims too much, slides, channels in directories of their own, orientations in EXIF. */

import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { openFile } from "../../src/io/fs.ts";
import { readNpy, readNpyHeader } from "../../src/io/npy.ts";
import { crc32 } from "../../src/host/zlib.ts";
import { exif, makeTiff, withSegment } from "../io/tiff_maker.ts";
import { FIXTURES, inFolder, seal } from "./shared.ts";

const ENCODER = "random:vit_small_patch16_224?dim=64&depth=1&patch=8&img=32&seed=3";

/** A PNG of one colour that takes far fewer bytes than pixels. */
function flatPng(side: number): Uint8Array {
  const chunk = (type: string, body: Uint8Array): number[] => {
    const typed = Uint8Array.from([...new TextEncoder().encode(type), ...body]);
    const [length, sum] = [new Uint8Array(4), new Uint8Array(4)];
    new DataView(length.buffer).setUint32(0, body.length);
    new DataView(sum.buffer).setUint32(0, crc32(typed));
    return [...length, ...typed, ...sum];
  };
  const head = new Uint8Array(13);
  new DataView(head.buffer).setUint32(0, side);
  new DataView(head.buffer).setUint32(4, side);
  head.set([8, 2], 8);
  const data = deflateSync(new Uint8Array((3 * side + 1) * side));
  const parts = [...chunk("IHDR", head), ...chunk("IDAT", data), ...chunk("IEND", new Uint8Array())];
  return Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, ...parts]);
}

Deno.test("embed refuses an image that claims too much by its header, with what can be done, and leaves nothing", async () => {
  await inFolder(async (folder) => {
    Deno.mkdirSync(`${folder}/tiles`);
    Deno.writeFileSync(`${folder}/tiles/a.png`, flatPng(6000));
    const out = `${folder}/out`;
    const { code, err } = await seal("embed", `${folder}/tiles`, "--encoder", ENCODER, "--out", out);
    assert.equal(code, 4);
    assert.match(
      err,
      /a\.png as PNG: byte 16 claims 6000x6000 pixels, 108000000 bytes, expected at most \d+ bytes for a tile of 8/,
    );
    assert.match(err, /hint: .*vips dzsave.*--batch-size.*deno task predict/);
    assert.throws(() => Deno.statSync(out), Deno.errors.NotFound);
    const slide = await seal("embed", `${FIXTURES}tiff/aperio.svs`, "--encoder", ENCODER, "--out", out);
    assert.equal(slide.code, 4);
    assert.match(
      slide.err,
      /aperio\.svs: it is a slide, expected tiles\nhint: Embed slides into a job.s folder: pass --job DIR/,
    );
  });
});

Deno.test("embed gives channels in directories of their own the features of the image, and tiles as PIL opens them", async () => {
  await inFolder(async (folder) => {
    const [width, height] = [40, 40];
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 13 >> 2) & 255);
    const description = '<OME xmlns="urn:x"><Image><Pixels SizeC="3"><TiffData/></Pixels></Image></OME>';
    const plane = (c: number) => ({ width, height, data: data.filter((_, i) => i % 3 === c) });
    const photo = Deno.readFileSync(`${FIXTURES}images/jpeg_444.jpg`);
    const body = Uint8Array.from([...new TextEncoder().encode("Exif\0\0"), ...exif(6)]);
    Deno.mkdirSync(`${folder}/tiles`);
    Deno.writeFileSync(`${folder}/tiles/a.tif`, makeTiff([{ width, height, samples: 3, data }]));
    Deno.writeFileSync(`${folder}/tiles/b.tif`, makeTiff([{ ...plane(0), description }, plane(1), plane(2)]));
    Deno.writeFileSync(`${folder}/tiles/c.jpg`, photo);
    Deno.writeFileSync(`${folder}/tiles/d.jpg`, withSegment(photo, 0xe1, body));
    const words = ["embed", `${folder}/tiles`, "--encoder", ENCODER, "--out", `${folder}/out`, "--format", "npy"];
    const { code, err } = await seal(...words);
    assert.equal(code, 0, err);
    assert.match(
      err,
      /d\.jpg: EXIF says turned by 90 degrees clockwise; tiles are embedded as stored, as PIL opens them/,
    );
    const file = await openFile(`${folder}/out/tiles.npy`);
    const values = Array.from(await readNpy(file, await readNpyHeader(file)) as Float32Array);
    file.close?.();
    const rows = [0, 1, 2, 3].map((i) => values.slice(64 * i, 64 * (i + 1)));
    assert.deepEqual(rows[1], rows[0]);
    assert.deepEqual(rows[3], rows[2]);
    assert.notDeepEqual(rows[2], rows[0]);
  });
});
