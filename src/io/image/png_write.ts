/**
 * Writing PNG: 8-bit RGB, every row as the difference to the one above.
 *
 * Source: https://www.w3.org/TR/png-3/
 *
 * @module
 */

import type { RgbImage } from "./rgb_image.ts";
import { crc32, deflate } from "../../host/zlib.ts";

const UP = 2;

/** An image as PNG. */
export function encodePng({ width, height, data }: RgbImage): Uint8Array<ArrayBuffer> {
  const stride = width * 3;
  const rows = new Uint8Array(height * (stride + 1));
  for (let y = 0; y < height; y++) {
    const to = y * (stride + 1);
    rows[to] = UP;
    for (let i = 0; i < stride; i++) {
      rows[to + 1 + i] = data[y * stride + i]! - (y === 0 ? 0 : data[(y - 1) * stride + i]!);
    }
  }
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, 2], 8);
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", head),
    chunk("IDAT", deflate(rows)),
    chunk("IEND", new Uint8Array()),
  ];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const out = new Uint8Array(content.length + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, content.length);
  out.set(new TextEncoder().encode(type), 4);
  out.set(content, 8);
  view.setUint32(content.length + 8, crc32(out.subarray(4, content.length + 8)));
  return out;
}
