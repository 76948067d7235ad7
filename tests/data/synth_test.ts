/** The golden values of the synthetic data set, and that pixels depend on their place only. */

import assert from "node:assert/strict";
import { Fields } from "../../src/data/synth/fields.ts";
import { barcodes, drawExpression, geneModel } from "../../src/data/synth/genes.ts";
import { Renderer } from "../../src/data/synth/render.ts";
import { layOut, type Slide, SYNTH_SEED, tissueCoverage } from "../../src/data/synth/slide.ts";

function slide(
  number: number,
  options: Partial<Pick<Slide, "mixedPixelSize" | "slidesPerDonor" | "donorFields">> = {},
): Slide {
  return layOut({
    seed: SYNTH_SEED,
    slide: number,
    rows: 10,
    cols: 40,
    mixedPixelSize: false,
    slidesPerDonor: 1,
    ...options,
  });
}

function close(given: Iterable<number>, wanted: readonly number[], tolerance: number): void {
  const values = [...given];
  assert.equal(values.length, wanted.length);
  for (const [i, value] of values.entries()) {
    assert.ok(Math.abs(value - wanted[i]!) <= tolerance, `${i}: ${value}, wanted ${wanted[i]}`);
  }
}

const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);

Deno.test("random blocks and fields have the golden values", () => {
  const first = slide(0);
  close(first.random.uniforms(0, 0, 0, 1), [0.3738986576, 0.5552747088, 0.6885316753, 0.0413355355], 1e-9);
  close(first.random.normals(0, 0, 0, 1), [-1.3189425419, -0.4774217690, 0.8349629053, 0.2218667577], 1e-9);
  const fields = new Fields(first);
  close(
    [0, 1, 2, 3, 4, 5, 6, 7].map((f) => fields.at(f, first.spots[0]!.x, first.spots[0]!.y)),
    [1.408473, -0.461721, -0.542837, -1.473780, -0.508702, 0.459338, -1.332048, -0.774114],
    1e-6,
  );
});

Deno.test("genes, counts and barcodes have the golden values", () => {
  const model = geneModel(SYNTH_SEED);
  close(model.loadings.slice(0, 8), [0.620234, 0, -0.25, 0, 0, 0, 0, 0], 1e-6);
  close([model.base[0]!, model.loadings[120 * 8 + 6]!], [0.348415, 0.549410], 1e-6);
  assert.equal(model.loadings.filter((w) => w !== 0).length, 216);
  close([sum(model.loadings), sum(model.base)], [66.150754, 148.098349], 1e-6);
  assert.deepEqual(
    [0, 120, 150, 190, 195].map((g) => model.names[g]),
    ["SYNV0G000", "SYNH0G120", "SYNHK150", "NegControlProbe_190", "BLANK_195"],
  );

  const drawn = [0, 1, 2, 3].map((j) => drawExpression(slide(j), new Fields(slide(j)), model));
  assert.deepEqual(drawn.map(({ counts }) => sum(counts)), [193105, 166003, 167796, 159148]);
  const { counts, mean } = drawn[0]!;
  close(mean.slice(0, 3), [2.294224, 1.841703, 0.768219], 1e-6);
  assert.deepEqual([...counts.slice(0, 12)], [0, 0, 0, 0, 15, 13, 12, 3, 4, 0, 4, 8]);
  assert.equal(counts.filter((c) => c === 0).length / counts.length, 0.2375);
  assert.equal(counts.reduce((a, b) => Math.max(a, b)), 395);
  assert.deepEqual(barcodes(slide(0)).slice(0, 2), ["ATGAACTATGGCGAGC-1", "CACGGTACCCTACTAA-1"]);
});

Deno.test("stain and pixels have the golden values", () => {
  const first = slide(0);
  const renderer = new Renderer(first, new Fields(first));
  const { haematoxylin, eosin, gainH, gainE, angle } = renderer.stain;
  close([...haematoxylin, ...eosin], [0.665259, 0.687492, 0.291180, 0.086785, 0.988067, 0.127246], 1e-6);
  close([gainH, gainE, angle], [1.082805, 1.089387, 2.118025], 1e-6);
  const patch = (spot: number) => {
    const { x, y } = first.spots[spot]!;
    return renderer.render(Math.trunc(2 * x - 112), Math.trunc(2 * y - 112), 224, 224);
  };
  const means = (rgb: Uint8Array) => [0, 1, 2].map((c) => sum(rgb.filter((_, i) => i % 3 === c)) / (224 * 224));
  const pixel = (rgb: Uint8Array, row: number, col: number) => [...rgb.slice((row * 224 + col) * 3).slice(0, 3)];
  close(means(patch(0)), [209.839, 157.832, 221.108], 1e-3);
  close(means(patch(7)), [196.024, 122.628, 208.585], 1e-3);
  assert.deepEqual(pixel(patch(0), 0, 0), [244, 238, 244]);
  assert.deepEqual(pixel(patch(0), 112, 112), [141, 102, 187]);
  assert.deepEqual(pixel(patch(0), 50, 200), [230, 167, 231]);
});

Deno.test("a window cut from a slide equals the window rendered alone", () => {
  for (const number of [1, 2, 3]) {
    const whole = slide(number, { mixedPixelSize: true });
    const left = number === 2 ? -20 : Math.floor(whole.width / 2) - 60;
    const top = Math.floor(whole.height / 3);
    const large = new Renderer(whole, new Fields(whole)).render(left, top, 200, 120);
    const small = new Renderer(whole, new Fields(whole)).render(left + 37, top + 41, 90, 50);
    for (let row = 0; row < 50; row++) {
      const from = ((row + 41) * 200 + 37) * 3;
      assert.deepEqual(large.slice(from, from + 270), small.slice(row * 270, row * 270 + 270), `row ${row}`);
    }
  }
  const edge = slide(2);
  const outside = new Renderer(edge, new Fields(edge)).render(-8, -8, 4, 4);
  assert.ok(outside.every((v) => v === 0), "beyond the slide is black");
});

Deno.test("holes cost a slide the patches that lie in them", () => {
  for (const [number, kept] of [[0, 200], [1, 200], [2, 200], [3, 192]] as const) {
    const { spots, ...rest } = slide(number);
    const inside = spots.filter(({ x, y }) =>
      tissueCoverage({ spots, ...rest }, Math.trunc(2 * x - 112), Math.trunc(2 * y - 112), 224) >= 0.15
    );
    assert.equal(inside.length, kept);
  }
});

Deno.test("slides of one donor share stain and batch effect, not fields", () => {
  const [a, b] = [2, 3].map((j) => slide(j, { slidesPerDonor: 2 })) as [Slide, Slide];
  assert.equal(a.donor, b.donor);
  assert.deepEqual(a.donorRandom, b.donorRandom);
  assert.notDeepEqual(new Fields(a).at(0, 500, 500), new Fields(b).at(0, 500, 500));
});

Deno.test("fields of a donor lie higher or lower by what is its own, on all of its slides", () => {
  const [a, b, c] = [2, 3, 4].map((j) => slide(j, { slidesPerDonor: 2, donorFields: 1 })) as [Slide, Slide, Slide];
  const offsets = (of: Slide) => [...new Fields(of).offsets];
  assert.deepEqual(offsets(a), offsets(b));
  assert.notDeepEqual(offsets(a), offsets(c));
  const without = new Fields(slide(2, { slidesPerDonor: 2 }));
  // What is no program of genes is as it was.
  const more = Array.from({ length: 11 }, (_, f) => new Fields(a).at(f, 500, 500) - without.at(f, 500, 500));
  close(more, offsets(a), 1e-12);
  assert.deepEqual(more.map((value) => value !== 0), Array.from({ length: 11 }, (_, f) => f < 8));
});
