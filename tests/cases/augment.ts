/** Cases of augment: each change by itself and what recipes draw, sizes that end within a word. Bytes have no gradient. */

import { type Changes, drawChanges, viewChanges } from "../../src/data/image/augment.ts";
import { changesRows } from "../../src/train/changes_row.ts";
import { JITTERS } from "../../src/data/image/colour_jitter.ts";
import { augment, augmentCost, CHANGE_WORDS, type Reach } from "../../src/ops/augment.ts";
import { given, type Input, type OpCase } from "../case.ts";
import { type AugmentRef, augmentRef } from "../ref/augment.ts";

const STILL: Changes = { side: 1, turn: 0, colour: undefined, sigma: 0 };

function plain({ side, turn, colour, sigma }: Changes): AugmentRef {
  if (colour === undefined) return { side, turn, sigma };
  if (!("hue" in colour)) return { side, turn, sigma, hed: colour };
  const jitter = colour.order.map((place) => [JITTERS[place as 0], colour[JITTERS[place as 0]]] as const);
  return { side, turn, sigma, jitter };
}

/** Tissue with specks of every kind: black, white, grey, pure colours. */
function images(count: number, size: number): Input {
  const odd = [[0, 0, 0], [255, 255, 255], [128, 128, 128], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [
    1,
    2,
    3,
  ]];
  return {
    shape: [count, size, size, 3],
    dtype: "u8",
    make: (rng) =>
      Uint8Array.from(
        Array.from({ length: count * size * size }, () => {
          const pick = rng.below(32);
          return odd[pick] ?? [150 + rng.below(90), 60 + rng.below(120), 130 + rng.below(100)];
        }).flat(),
      ),
  };
}

/** The errors of chains of f32 move this share of the bytes over the middle between two, at most. */
const ROUNDED = 2e-3;

function of(
  name: string,
  size: number,
  reach: Reach,
  changes: readonly Changes[],
  extra: Partial<OpCase> = {},
): OpCase {
  return {
    name,
    inputs: {
      patches: images(changes.length, size),
      changes: given([changes.length, CHANGE_WORDS], changesRows(size, changes), "u32"),
    },
    run: (g, t) => augment(g, t.patches!, t.changes!, reach),
    ref: (a) => augmentRef(a.patches!, size, changes.map(plain)),
    wrt: [],
    ...(reach !== "turn" && { rounded: ROUNDED }),
    ...extra,
  };
}

const jitter = { brightness: 1.2, contrast: 0.8, saturation: 1.15, hue: -0.05 };
const orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1], [1], [3], []];
const stains = { scale: [0.95, 1.05, 1.02], shift: [0.05, -0.05, 0.01] } as const;
const turns = Array.from({ length: 8 }, (_, turn): Changes => ({ ...STILL, turn }));
const hard = (count: number, seed: number) =>
  Array.from({ length: count }, (_, index) => drawChanges("hard", { seed, epoch: 1, index }));
const views = (colours: "jitter" | "hed") =>
  Array.from({ length: 13 }, (_, i) => viewChanges(i < 4 ? i : i + 4, { seed: 4, index: i, colours }));

/** Case table. */
export const cases: readonly OpCase[] = [
  of("turns 8x13", 13, "turn", turns),
  of("turns 8x1", 1, "turn", turns),
  of("turns 8x32", 32, "turn", turns),
  of("turns where others may be coloured 8x5", 5, "colour", turns, { rounded: 0 }),
  of("turns where others may be blurred 8x7", 7, "blur", turns, { rounded: 0 }),
  of(
    "jitters of all orders 7x11",
    11,
    "colour",
    orders.map((order, i) => ({ ...STILL, turn: i, colour: { ...jitter, order } })),
  ),
  of("stains 2x11", 11, "colour", [
    { ...STILL, colour: stains },
    { ...STILL, turn: 6, colour: { scale: [1, 1, 1], shift: [0, 0, 0] } },
  ]),
  // Shares of round numbers would put many bytes in the middle of two.
  of(
    "sides 5x15",
    15,
    "colour",
    [1, 0.91371, Math.sqrt(0.8), 0.51237, 0.34719].map((side, turn) => ({ ...STILL, side, turn })),
  ),
  of("blurs 6x9", 9, "blur", [0, 0.1, 0.13, 0.5, 1, 1.5].map((sigma, turn) => ({ ...STILL, turn, sigma }))),
  of("blurs 3x1", 1, "blur", [0, 0.6, 1.5].map((sigma) => ({ ...STILL, sigma }))),
  of("blurs 3x2", 2, "blur", [0.3, 0.9, 1.5].map((sigma) => ({ ...STILL, sigma }))),
  of("blurs beyond the other border 1x4", 4, "blur", [{ ...STILL, sigma: 1.5 }]),
  of("all at once 3x10", 10, "blur", [
    { side: 0.93, turn: 5, sigma: 0.8, colour: { ...jitter, order: [2, 1, 3, 0] } },
    { side: 0.91, turn: 3, sigma: 1.2, colour: stains },
    STILL,
  ]),
  of("hard 23x7", 7, "blur", hard(23, 1)),
  of("hard 9x33", 33, "blur", hard(9, 2)),
  of("views by jitter 13x8", 8, "colour", views("jitter")),
  of("views by stains 13x9", 9, "colour", views("hed")),
  of(
    "soft 64x224",
    224,
    "turn",
    Array.from({ length: 64 }, (_, index) => drawChanges("soft", { seed: 1, epoch: 1, index })),
    {
      benchOnly: true,
      perf: augmentCost([64, 224, 224, 3]),
    },
  ),
  of("hard 64x224", 224, "blur", hard(64, 1), { benchOnly: true, perf: augmentCost([64, 224, 224, 3]) }),
  of("no patch 0x4", 4, "blur", []),
];
