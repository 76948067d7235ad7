/** Augmentation: each change against its original, the group of turns, views, odds, and that it is a pure function. */

import assert from "node:assert/strict";
import {
  applyChanges,
  augment,
  type Changes,
  drawChanges,
  view,
  viewChanges,
  viewOf,
} from "../../src/data/image/augment.ts";
import { blur } from "../../src/data/image/blur.ts";
import { jitterColour } from "../../src/data/image/colour_jitter.ts";
import { compose, inverse, turn } from "../../src/data/image/dihedral.ts";
import { jitterHed } from "../../src/data/image/hed_jitter.ts";
import { mix } from "../../src/data/image/stripes.ts";
import { zoom } from "../../src/data/image/zoom.ts";
import { Sha256 } from "../../src/host/zlib.ts";
import fixture from "../fixtures/augment.json" with { type: "json" };

/** First 16 digits of the SHA-256 of 48 images each. */
const CHECKSUMS = {
  soft: "0c372e624c887666",
  hard: "443fa5c4d1429789",
  jitter: "ecb8b2f22835477c",
  hed: "9b514bd5aaab6ade",
  other: "bd34c740ed0d074a",
  views: "bf8c24acb70c98b4",
  hedViews: "f1d2d5cb686887a9",
};

const SIZE = fixture.size;
const image = makeImage(SIZE);

/** The image of `tests/python/augment.py`; of another size, hashed bytes alone. */
function makeImage(size: number): Uint8Array<ArrayBuffer> {
  const rgb = Uint8Array.from({ length: size * size * 3 }, (_, i) => mix(i + 1) & 255);
  if (size !== SIZE) return rgb;
  const first = [[0, 0, 0], [255, 255, 255], [128, 128, 128], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]];
  rgb.set([...first, [1, 2, 3]].flat());
  for (let i = 8 * SIZE * 3; i < rgb.length; i++) rgb[i] = 150 + (rgb[i]! >> 2) + [30, -40, 20][i % 3]!;
  return rgb;
}

function unit(rgb: Uint8Array): Float32Array {
  return Float32Array.from(rgb, (byte) => byte / 255);
}

function expected(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}

function sha256(bytes: Uint8Array): string {
  const hash = new Sha256();
  hash.update(bytes);
  return hash.hex();
}

/** Largest difference of two images. */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

interface Case {
  name: string;
  values: string;
  order?: number[];
  factors?: number[];
  scale?: number[];
  shift?: number[];
  sigma?: number;
  side?: number;
}

function ours(given: Case): Float32Array {
  const rgb = unit(image);
  if (given.name === "jitter") {
    const [brightness, contrast, saturation, hue] = given.factors as [number, number, number, number];
    jitterColour(rgb, { brightness, contrast, saturation, hue, order: given.order! });
  } else if (given.name === "hed") {
    const three = (values: number[]) => values as [number, number, number];
    jitterHed(rgb, { scale: three(given.scale!), shift: three(given.shift!) });
  } else if (given.name === "blur") return blur(rgb, SIZE, given.sigma!);
  else return zoom(rgb, SIZE, given.side!);
  return rgb;
}

for (const given of fixture.cases as Case[]) {
  const { name, values, ...options } = given;
  Deno.test(`${name} ${JSON.stringify(options)} is the original's`, () => {
    const wanted = expected(values);
    // Pillow works on bytes: it rounds after each axis.
    assert.ok(apart(ours(given), wanted) < (name === "pillow" ? 1.05 / 255 : 3e-6));
    const still = apart(unit(image), wanted) < 1e-3;
    const nothing = options.side === 1 || options.sigma === 0.1 || options.shift?.every((v) => v === 0) === true;
    assert.equal(still, nothing, "the case changes the image");
  });
}

Deno.test("the eight turns are a group", () => {
  const all = Array.from({ length: 8 }, (_, k) => turn(image, SIZE, k));
  assert.deepEqual(all[0], image);
  assert.equal(new Set(all.map((rgb) => sha256(rgb))).size, 8);
  for (let a = 0; a < 8; a++) {
    assert.deepEqual(turn(all[a]!, SIZE, inverse(a)), image);
    for (let b = 0; b < 8; b++) assert.deepEqual(turn(all[a]!, SIZE, b), all[compose(a, b)], `${b} after ${a}`);
  }
});

Deno.test("turns go where numpy's go", () => {
  // rot90 of [[a, b], [c, d]] is [[b, d], [a, c]], fliplr [[b, a], [d, c]].
  const of = (letters: string) => Uint8Array.from([...letters].flatMap((c) => [c.charCodeAt(0), 0, 9]));
  const expect = ["abcd", "bdac", "dcba", "cadb", "badc", "acbd", "cdab", "dbca"];
  expect.forEach((letters, k) => assert.deepEqual(turn(of("abcd"), 2, k), of(letters), `element ${k}`));
});

Deno.test("turns, enlargement and blur keep the centre and what is even", () => {
  for (const size of [7, 8]) {
    const at = (size - 1) / 2;
    const cone = Float32Array.from({ length: size * size * 3 }, (_, i) => {
      const pixel = Math.floor(i / 3);
      return 1 - Math.hypot(pixel % size - at, Math.floor(pixel / size) - at) / size;
    });
    for (const changed of [zoom(cone, size, 0.9), blur(cone, size, 1.2), turn(cone, size, 5)]) {
      for (let k = 1; k < 8; k++) assert.ok(apart(turn(changed, size, k), changed) < 1e-6);
    }
  }
});

Deno.test("none gives the image, and no input is written to", () => {
  const before = image.slice();
  assert.deepEqual(augment(image, SIZE, "none", { seed: 1, epoch: 2, index: 3 }), image);
  for (let index = 0; index < 40; index++) augment(image, SIZE, "hard", { seed: 1, epoch: 2, index });
  assert.deepEqual(view(image, SIZE, 0), image);
  assert.notEqual(view(image, SIZE, 0), image);
  assert.deepEqual(image, before);
});

Deno.test("colours that change nothing change nothing", () => {
  const jitter = { brightness: 1, contrast: 1, saturation: 1, hue: 0, order: [2, 0, 3, 1] };
  const hed = { scale: [1, 1, 1] as const, shift: [0, 0, 0] as const };
  for (const colour of [jitter, hed]) {
    assert.deepEqual(applyChanges(image, SIZE, { side: 1, turn: 0, colour, sigma: 0 }), image);
  }
});

Deno.test("a seed gives the same bytes for ever", () => {
  const large = makeImage(64);
  const sums = (make: (index: number) => Uint8Array) => {
    const bytes = Array.from({ length: 48 }, (_, index) => [...make(index)]).flat();
    return sha256(Uint8Array.from(bytes)).slice(0, 16);
  };
  assert.deepEqual({
    soft: sums((index) => augment(large, 64, "soft", { seed: 42, epoch: 0, index })),
    hard: sums((index) => augment(large, 64, "hard", { seed: 42, epoch: 0, index })),
    jitter: sums((index) => augment(large, 64, "hard", { seed: 42, epoch: 0, index, colours: "jitter" })),
    hed: sums((index) => augment(large, 64, "hard", { seed: 42, epoch: 0, index, colours: "hed" })),
    other: sums((index) => augment(large, 64, "hard", { seed: 43, epoch: 0, index })),
    views: sums((k) => view(large, 64, k, { seed: 42, index: 7 })),
    hedViews: sums((k) => view(large, 64, k, { seed: 42, index: 7, colours: "hed" })),
  }, CHECKSUMS);
});

Deno.test("seed, epoch and index all count, and nothing else", () => {
  const key = { seed: 5, epoch: 6, index: 7 };
  const draw = (change: Partial<typeof key>) => JSON.stringify(drawChanges("hard", { ...key, ...change }));
  assert.equal(draw({}), draw({}));
  for (const change of [{ seed: 6 }, { epoch: 7 }, { index: 6 }, { seed: 7, index: 5 }]) {
    assert.notEqual(draw(change), draw({}));
  }
  // The kind of colours changes no other draw.
  const { colour: _, ...rest } = drawChanges("hard", { ...key, colours: "hed" });
  const { colour: __, ...same } = drawChanges("hard", { ...key, colours: "jitter" });
  assert.deepEqual(rest, same);
});

/** Whether `hits` of `n` are what odds `p` give, to five standard deviations. */
function fair(hits: number, n: number, p: number): boolean {
  return Math.abs(hits - n * p) < 5 * Math.sqrt(n * p * (1 - p));
}

Deno.test("odds and ranges of hard are the recipe's", () => {
  const n = 8000;
  const drawn: Changes[] = Array.from({ length: n }, (_, index) => drawChanges("hard", { seed: 3, epoch: 1, index }));
  const share = (test: (changes: Changes) => boolean) => drawn.filter(test).length;
  for (let k = 0; k < 8; k++) assert.ok(fair(share((c) => c.turn === k), n, 1 / 8), `turn ${k}`);
  assert.ok(fair(share((c) => c.side < 1), n, 0.3));
  assert.ok(fair(share((c) => c.colour !== undefined), n, 0.5));
  assert.ok(fair(share((c) => c.colour !== undefined && "hue" in c.colour), n, 0.25));
  assert.ok(fair(share((c) => c.sigma > 0), n, 0.1));
  // Independent: half of those enlarged change colour too.
  assert.ok(fair(share((c) => c.side < 1 && c.colour !== undefined), n, 0.15));
  const range = (values: number[]) => [Math.min(...values), Math.max(...values)] as const;
  const within = (values: number[], low: number, high: number) => {
    const [least, most] = range(values);
    const slack = 0.02 * (high - low);
    assert.ok(
      least >= low - 1e-9 && least < low + slack && most <= high + 1e-9 && most > high - slack,
      `${least} ${most}`,
    );
  };
  within(drawn.map((c) => c.side ** 2).filter((area) => area < 1), 0.8, 1);
  within(drawn.map((c) => c.sigma).filter((sigma) => sigma > 0), 0.1, 1.5);
  const jitters = drawn.flatMap((c) => c.colour !== undefined && "hue" in c.colour ? [c.colour] : []);
  for (const key of ["brightness", "contrast", "saturation"] as const) within(jitters.map((j) => j[key]), 0.8, 1.2);
  within(jitters.map((j) => j.hue), -0.05, 0.05);
  assert.equal(new Set(jitters.map((j) => j.order.join())).size, 24);
  const heds = drawn.flatMap((c) => c.colour !== undefined && "scale" in c.colour ? [c.colour] : []);
  for (const stain of [0, 1, 2] as const) {
    within(heds.map((h) => h.scale[stain]), 0.95, 1.05);
    within(heds.map((h) => h.shift[stain]), -0.05, 0.05);
  }
  const soft = Array.from({ length: n }, (_, index) => drawChanges("soft", { seed: 3, epoch: 1, index }));
  assert.ok(soft.every((c, i) => c.side === 1 && c.colour === undefined && c.sigma === 0 && c.turn === drawn[i]!.turn));
});

Deno.test("views: the eight turns, then colours of the pair's own", () => {
  const all = Array.from({ length: 24 }, (_, k) => view(image, SIZE, k, { seed: 1, index: 2 }));
  assert.equal(new Set(all.map((rgb) => sha256(rgb))).size, 24);
  for (let k = 0; k < 8; k++) assert.deepEqual(all[k], turn(image, SIZE, k));
  assert.deepEqual(viewChanges(13, { seed: 1, index: 2 }).turn, 5);
  assert.notDeepEqual(view(image, SIZE, 9, { seed: 1, index: 3 }), all[9]);
  assert.notDeepEqual(view(image, SIZE, 9, { seed: 2, index: 2 }), all[9]);
  assert.deepEqual(view(image, SIZE, 9, { seed: 1, index: 2 }), all[9]);
  assert.throws(() => view(image, SIZE, 8), { name: "ConfigError" });
  assert.throws(() => view(image, SIZE, -1), { name: "ConfigError" });
  assert.throws(() => view(image, SIZE, 1.5), { name: "ConfigError" });
});

Deno.test("the view of an epoch is any of them, as often as another", () => {
  const n = 8000;
  const seen = Array.from({ length: n }, (_, index) => viewOf(12, { seed: 9, epoch: 4, index }));
  for (let k = 0; k < 12; k++) assert.ok(fair(seen.filter((v) => v === k).length, n, 1 / 12));
  assert.equal(new Set(seen).size, 12);
  assert.notDeepEqual(seen.map((_, index) => viewOf(12, { seed: 9, epoch: 5, index })), seen);
  assert.equal(viewOf(1, { seed: 9, epoch: 4, index: 0 }), 0);
});

Deno.test("what is no square, and what is no recipe, is refused", () => {
  const key = { seed: 0, epoch: 0, index: 0 };
  assert.throws(() => augment(image.subarray(3), SIZE, "soft", key), { name: "ShapeError" });
  assert.throws(() => augment(image, SIZE + 1, "none", key), { name: "ShapeError" });
  assert.throws(() => augment(image, SIZE, "harder" as "hard", key), {
    name: "ConfigError",
    message: /none, soft, hard/,
  });
});

Deno.test("one pixel survives everything", () => {
  for (let index = 0; index < 60; index++) {
    assert.equal(augment(Uint8Array.of(9, 99, 199), 1, "hard", { seed: 1, epoch: 0, index }).length, 3);
  }
});
