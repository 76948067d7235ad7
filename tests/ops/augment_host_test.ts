/** What the device makes of patches is what the host makes, to a unit of a byte: every recipe, many seeds, odd sizes. */

import assert from "node:assert/strict";
import { mix } from "../../src/data/image/stripes.ts";
import { applyChanges, type Changes, type Colours, drawChanges, viewChanges } from "../../src/data/image/augment.ts";
import { changesRow, changesRows, reachOf, reachOfViews } from "../../src/train/changes_row.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import { augment, CHANGE_WORDS, type Reach } from "../../src/ops/augment.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

/** Share of bytes that may be one off: f32 in another order decides where a byte is near the middle of two. */
const OFF = 1e-3;

/** Tissue-like colours beside every kind of hard pixel. */
function patchesOf(count: number, size: number): Uint8Array<ArrayBuffer> {
  const patches = Uint8Array.from({ length: count * size * size * 3 }, (_, i) => mix(i + 1) & 255);
  for (let i = 0; i < patches.length; i += 3) {
    const kind = mix(i + 7) & 15;
    // Mostly tissue, then black, white and greys; the rest is noise.
    if (kind < 11) [140, 70, 120].forEach((least, c) => patches[i + c] = least + (patches[i + c]! * 0.4));
    else if (kind < 14) patches.fill(kind === 11 ? 0 : kind === 12 ? 255 : patches[i]!, i, i + 3);
  }
  return patches;
}

async function byDevice(patches: Uint8Array, size: number, changes: readonly Changes[], reach: Reach) {
  const store = new Store(gpu);
  const tiles = store.from("tiles", "tiles", [changes.length, size, size, 3], patches, "u8");
  const rows = store.from("changes", "changes", [changes.length, CHANGE_WORDS], changesRows(size, changes), "u32");
  const g = new Plan(gpu);
  const y = augment(g, tiles, rows, reach);
  g.output(y);
  const program = await g.compile();
  program.poison();
  program.run();
  const [bytes] = await readback(gpu, y);
  program.destroy();
  store.destroy();
  return bytes!;
}

async function same(size: number, changes: readonly Changes[], reach: Reach): Promise<void> {
  const each = size * size * 3;
  const patches = patchesOf(changes.length, size);
  const got = await byDevice(patches, size, changes, reach);
  let off = 0;
  changes.forEach((change, n) => {
    const right = applyChanges(patches.subarray(n * each, (n + 1) * each), size, change);
    const most = change.side === 1 && change.colour === undefined && change.sigma === 0 ? 0 : 1;
    for (let i = 0; i < each; i++) {
      const d = Math.abs(got[n * each + i]! - right[i]!);
      if (d > most) {
        assert.fail(`byte ${i} of ${JSON.stringify(change)} is ${got[n * each + i]}, the host's ${right[i]}`);
      }
      off += d;
    }
  });
  assert.ok(off <= Math.max(2, OFF * patches.length), `${off} of ${patches.length} bytes are one off`);
}

const SEEDS = 100;

for (const size of [1, 7, 13, 224]) {
  for (const colours of ["jitter", "hed", "either"] as Colours[]) {
    Deno.test(`hard by ${colours} of patches of ${size} px is the host's`, async () => {
      const changes = Array.from(
        { length: SEEDS },
        (_, i) => drawChanges("hard", { seed: i + 1, epoch: i % 3, index: 17 * i, colours }),
      );
      await same(size, changes, reachOf("hard")!);
    });
  }

  Deno.test(`soft and views 0 to 20 of patches of ${size} px are the host's`, async () => {
    const soft = Array.from({ length: SEEDS }, (_, i) => drawChanges("soft", { seed: i, epoch: 2, index: i }));
    await same(size, soft, reachOf("soft")!);
    const views = Array.from({ length: 21 }, (_, k) => k);
    for (const colours of ["jitter", "hed"] as Colours[]) {
      const changes = views.map((k) => viewChanges(k, { seed: 3, index: size + k, colours }));
      await same(size, changes, reachOfViews(views)!);
    }
  });
}

Deno.test("every change by itself and all together, 100 seeds, are the host's", async () => {
  for (let part = 0; part < 4; part++) {
    const changes = Array.from({ length: 100 }, (_, i): Changes => {
      const [hed, jitter] = (["hed", "jitter"] as const).map((colours) =>
        viewChanges(8 + i % 8, { seed: i, index: 5, colours }).colour
      );
      const side = Math.sqrt(0.8 + 0.002 * i);
      const sigma = 0.1 + 0.014 * i;
      const turn = i % 8;
      return [
        { side, turn, colour: undefined, sigma: 0 },
        { side, turn, colour: hed, sigma: 0 },
        { side, turn, colour: jitter, sigma: 0 },
        { side, turn, colour: i % 2 ? hed : jitter, sigma },
      ][part]!;
    });
    await same(19, changes, "blur");
  }
});

Deno.test("patches are the same bytes whatever lies beside them, and however many are made at a time", async () => {
  const size = 13;
  const each = size * size * 3;
  const changes = Array.from({ length: 40 }, (_, index) => drawChanges("hard", { seed: 9, epoch: 0, index }));
  const patches = patchesOf(40, size);
  const all = await byDevice(patches, size, changes, "blur");
  for (const [from, to] of [[0, 1], [3, 10], [10, 40]] as const) {
    const some = await byDevice(patches.slice(from * each, to * each), size, changes.slice(from, to), "blur");
    assert.deepEqual(some, all.slice(from * each, to * each));
  }
});

Deno.test("large patches are blurred some at a time, to the same bytes", async () => {
  // Four patches of 840 px are all that is kept.
  const size = 840;
  const changes = Array.from({ length: 6 }, (_, i): Changes => ({
    side: 1,
    turn: i,
    colour: undefined,
    sigma: i % 2 ? 1.1 : 0,
  }));
  await same(size, changes, "blur");
});

Deno.test("what a row cannot say is refused", () => {
  const words = new Uint32Array(CHANGE_WORDS);
  const still: Changes = { side: 1, turn: 0, colour: undefined, sigma: 0 };
  assert.throws(() => changesRow(words, 9, { ...still, sigma: 1.7 }), ConfigError);
  const jitter = { brightness: 1, contrast: 1, saturation: 1, hue: 0 };
  assert.throws(() => changesRow(words, 9, { ...still, colour: { ...jitter, order: [0, 1, 2, 3, 0] } }), ConfigError);
  assert.equal(reachOf("none"), undefined);
  assert.equal(reachOfViews([0, 0]), undefined);
  assert.equal(reachOfViews([0, 7]), "turn");
  assert.equal(reachOfViews([0, 8]), "colour");
});
