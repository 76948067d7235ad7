import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { encodePng } from "../../src/io/image/png_write.ts";

Deno.test("encodePng() writes what the decoder reads back", () => {
  const rng = new Rng(1);
  for (const [width, height] of [[1, 1], [1, 7], [13, 1], [67, 41]] as const) {
    const data = Uint8Array.from({ length: width * height * 3 }, () => rng.below(256));
    const { mode, ...image } = decodeImage(encodePng({ width, height, data }), "a.png");
    assert.equal(mode, "RGB");
    assert.deepEqual({ ...image, data: [...image.data] }, { width, height, orientation: 1, data: [...data] });
  }
});
