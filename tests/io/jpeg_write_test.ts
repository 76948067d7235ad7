import assert from "node:assert/strict";
import { LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { encodeJpeg } from "../../src/io/image/jpeg_write.ts";

/** Smooth colour with a hard edge and some noise. */
function scene(width: number, height: number): Uint8Array<ArrayBuffer> {
  const rng = new Rng(4);
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    const wave = 120 + 70 * Math.sin(x / (7 + c)) + 40 * Math.cos(y / 9);
    return Math.max(0, Math.min(255, (x > width / 2 ? wave : 230 - wave / 3) + rng.below(9) - 4));
  });
}

function rms(a: Uint8Array, b: Uint8Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length);
}

Deno.test("encodeJpeg() writes what the decoder, which is libjpeg's equal, reads back near", () => {
  for (const [width, height] of [[1, 1], [1, 17], [23, 1], [8, 8], [67, 41], [256, 256]] as const) {
    const data = scene(width, height);
    const read = (quality: number) => decodeImage(encodeJpeg({ width, height, data }, quality), "a.jpg");
    const fine = read(100);
    assert.deepEqual([fine.width, fine.height, fine.mode], [width, height, "RGB"]);
    // Rounding of colours and coefficients only.
    assert.ok(rms(fine.data, data) < 0.8, `${width}x${height}: ${rms(fine.data, data)}`);
    const errors = [95, 80, 30].map((quality) => rms(read(quality).data, data));
    assert.ok(errors[0]! < 3 && errors[1]! < 7 && errors[2]! < 16, String(errors));
  }
});

Deno.test("encodeJpeg() keeps flat colours, runs of zeros and the extremes", () => {
  for (const colour of [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255], [150, 80, 160]]) {
    const data = Uint8Array.from({ length: 20 * 20 * 3 }, (_, i) => colour[i % 3]!);
    const back = decodeImage(encodeJpeg({ width: 20, height: 20, data }, 90), "a.jpg").data;
    assert.ok(back.every((value, i) => Math.abs(value - data[i]!) <= 2), String([...back.slice(0, 3)]));
  }
  // A checkerboard has only the highest coefficient: more than sixteen zeros before it.
  const board = Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => {
    const at = Math.floor(i / 3);
    return (at % 16 + Math.floor(at / 16)) % 2 ? 255 : 0;
  });
  const back = decodeImage(encodeJpeg({ width: 16, height: 16, data: board }, 95), "a.jpg").data;
  assert.ok(rms(back, board) < 4, String(rms(back, board)));
  assert.throws(() => encodeJpeg({ width: 65_536, height: 1, data: new Uint8Array(3 * 65_536) }), LimitError);
});
