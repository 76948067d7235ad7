import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { MAX_PIXELS } from "../../src/io/image/rgb_image.ts";
import { Sha256 } from "../../src/host/zlib.ts";
import { mutate } from "./mutate.ts";
import { taken } from "./taken.ts";

const folder = new URL("../fixtures/images/", import.meta.url);
const expected = JSON.parse(Deno.readTextFileSync(new URL("expected.json", folder))) as Record<
  string,
  { mode: string; width: number; height: number; sha256: string }
>;
const read = (name: string) => Deno.readFileSync(new URL(name, folder));

Deno.test("decodeImage() gives PIL's bytes for every kind of PNG and JPEG", () => {
  for (const [name, { mode, width, height, sha256 }] of Object.entries(expected)) {
    if (mode === "I;16") continue;
    const image = decodeImage(read(name), name);
    assert.deepEqual([image.width, image.height], [width, height], name);
    // PIL has no mode for grey with alpha of 16 bits.
    if (!name.includes("type4_depth16")) assert.equal(image.mode, mode, name);
    assert.equal(new Sha256().update(image.data).hex(), sha256, name);
  }
});

Deno.test("decodeImage() refuses 16-bit grey by name", () => {
  assert.throws(
    () => decodeImage(read("png_type0_depth16.png"), "deep.png"),
    (error: FormatError) => error instanceof FormatError && /deep\.png: it is 16-bit grey/.test(error.message),
  );
});

Deno.test("decodeImage() names the format it does not read", () => {
  for (
    const [head, format] of [["BM", "BMP"], ["RIFF....WEBP", "WebP"], ["GIF89a", "GIF"], ["", "empty"], [
      "abc",
      "61 62 63",
    ]]
  ) {
    const bytes = new TextEncoder().encode(head);
    assert.throws(() => decodeImage(bytes, "tile.tif"), (error: FormatError) => {
      return error instanceof FormatError && error.message.includes(format!) &&
        error.message.startsWith("Cannot decode tile.tif");
    });
  }
});

Deno.test("decodeImage() reads no image that is cut short", () => {
  for (const name of Object.keys(expected)) {
    const bytes = read(name);
    const rng = new Rng(5);
    for (let i = 0; i < 6; i++) {
      // The last bytes of a JPEG are its end marker, those of a PNG its last checksum.
      const cut = bytes.subarray(0, i === 0 ? bytes.length - 1 : rng.below(bytes.length));
      assert.throws(() => decodeImage(cut, "cut"), FormatError, `${name} at ${cut.length}`);
    }
  }
});

Deno.test("decodeImage() refuses an image larger than PIL reads before it takes memory", () => {
  const jpeg = read("jpeg_444.jpg");
  const frame = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
  jpeg.set([0xff, 0xff, 0xff, 0xff], frame + 5);
  assert.throws(() => decodeImage(jpeg, "bomb.jpg"), new RegExp(`65535x65535 pixels, expected 1 to ${MAX_PIXELS}`));
});

for (const kind of ["png", "jpeg"]) {
  Deno.test(`decodeImage() answers 300 mutations of ${kind} with FormatError or an image, in little memory`, async () => {
    const seeds = Object.keys(expected).filter((name) => name.startsWith(kind) && !name.includes("1x1")).map(read);
    let refused = 0;
    for (let i = 0; i < 300; i++) {
      const rng = new Rng(11, i);
      const mutant = mutate(seeds[rng.below(seeds.length)]!, rng);
      const bytes = await taken(() => {
        try {
          const { width, height, data } = decodeImage(mutant, "mutant");
          assert.equal(data.length, width * height * 3);
        } catch (error) {
          assert.ok(error instanceof FormatError && error.message.includes("mutant"), `${i}: ${error}`);
          refused++;
        }
      });
      assert.ok(bytes < 2e7, `mutant ${i} takes ${bytes} bytes`);
    }
    assert.ok(refused > (kind === "png" ? 290 : 100), `${refused} refused`);
  });
}
