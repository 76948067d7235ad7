/** The gallery: frames, captions, escaping, nothing from elsewhere. */

import assert from "node:assert/strict";
import { encodePng } from "../../src/io/image/png_write.ts";
import { galleryImage, galleryPage, type GallerySection } from "../../src/report/retrieval_gallery.ts";

function patch(side: number, rgb: readonly [number, number, number]) {
  const data = new Uint8Array(side * side * 3);
  for (let i = 0; i < side * side; i++) data.set(rgb, i * 3);
  return { width: side, height: side, data };
}

const sections: GallerySection[] = [{
  title: "Gene to image <b>",
  about: "every spot",
  rows: [{
    query: { image: patch(224, [200, 10, 10]), label: "S1 AAA-1" },
    title: "S1 AAA-1",
    rank: 2,
    found: [
      { image: patch(224, [10, 200, 10]), label: 'S2 "x"', score: 0.91, correct: false },
      { image: patch(24, [10, 10, 200]), label: "S1 AAA-1", score: 0.9, correct: true },
    ],
  }],
}, {
  title: "Genes",
  about: "raised",
  rows: [{ title: "EPCAM", found: [{ image: patch(96, [9, 9, 9]), label: "S1", score: -0.25 }] }],
}];

Deno.test("the image shows query, hits and frames of right and wrong", () => {
  const { width, height, data } = galleryImage(sections);
  assert.equal(data.length, width * height * 3);
  const at = (x: number, y: number) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
  const [top, step, left] = [18, 112, 12];
  const middle = top + 53;
  assert.deepEqual(at(6 + 53, middle), [200, 10, 10]);
  assert.deepEqual(at(left + step + 53, middle), [10, 200, 10]);
  assert.deepEqual(at(left + 2 * step + 53, middle), [10, 10, 200]);
  // The wrong one has a thin frame, the right one a thick one.
  assert.deepEqual(at(left + step + 4, middle), [213, 94, 0]);
  assert.deepEqual(at(left + step + 1, middle), [255, 255, 255]);
  assert.deepEqual(at(left + 2 * step + 4, middle), [0, 158, 115]);
  assert.deepEqual(at(left + 2 * step + 1, middle), [0, 158, 115]);
  assert.ok(encodePng(galleryImage([])).length > 50);
});

Deno.test("the page escapes what it shows, says right and wrong in words, and needs nothing else", () => {
  const page = galleryPage("Retrieval", ["A & B"], sections);
  assert.match(page, /Gene to image &lt;b&gt;/);
  assert.match(page, /S2 &quot;x&quot;/);
  assert.match(page, /A &amp; B/);
  assert.match(page, /the right one is at rank 2/);
  assert.match(page, /alt="patch S1 AAA-1, score 0.900, right"/);
  assert.match(page, /score 0.910, wrong/);
  assert.doesNotMatch(page, /(src|href)="(?!data:)/);
  assert.doesNotMatch(page, /https?:/);
  assert.equal(page.match(/<img /g)?.length, 4);
});
