/** How features lie: worked numbers, a planted collapse and a planted loss of a kind are told, noise is not. */

import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { describeSpace, spaceWarnings, tellKinds } from "../../src/eval/space.ts";
import type { TaskResult } from "../../src/eval/bench/hest_bench.ts";
import { spaceProblems } from "../../src/eval/bench/space_problems.ts";
import type { Table } from "../../src/eval/linalg/table.ts";

const near = (found: number | null | undefined, wanted: number, within = 1e-12) =>
  assert.ok(found !== null && found !== undefined && Math.abs(found - wanted) <= within, `${found}, wanted ${wanted}`);

Deno.test("mean cosine, shares of neighbours and robustness of features that can be counted by hand", () => {
  // Two directions a right angle apart, two patches each: pairs have cosines 1, 1, 0, 0, 0, 0.
  const features: Table = { rows: 4, columns: 2, data: Float64Array.of(1, 0, 2, 0, 0, 1, 0, 3) };
  const slides = ["A", "B", "A", "B"];
  const space = describeSpace(features, slides, ["x", "x", "y", "y"]);
  near(space.meanCosine, 1 / 3);
  // With four patches all three others are near: one of three is of the slide.
  near(space.sameSlide, 1 / 3);
  near(space.sameSlideChance, 1 / 3);
  // Of each patch one is of its kind elsewhere, one of its slide is of another kind.
  near(space.robustness, 1 / 2);
  assert.equal(describeSpace(features, slides).robustness, null);
  // Singular values sqrt 5 and sqrt 10.
  const p = Math.sqrt(5) / (Math.sqrt(5) + Math.sqrt(10));
  near(space.smoothRank, Math.exp(-p * Math.log(p) - (1 - p) * Math.log(1 - p)), 1e-5);
  assert.throws(() => describeSpace(features, ["A"]), /4 rows, 1 slides, no kinds/);
});

Deno.test("kinds lie together or slides do: the robustness index and the share of one's own slide say which", () => {
  const rng = new Rng(3);
  const make = (by: "kind" | "slide"): Table => ({
    rows: 120,
    columns: 8,
    data: Float64Array.from({ length: 960 }, (_, at) => {
      const [row, f] = [Math.floor(at / 8), at % 8];
      const centre = by === "kind" ? row % 3 : Math.floor(row / 40);
      return (f === centre ? 5 : 0) + rng.normal();
    }),
  });
  const slides = Array.from({ length: 120 }, (_, row) => `S${Math.floor(row / 40)}`);
  const kinds = Array.from({ length: 120 }, (_, row) => `kind ${row % 3}`);
  const [kind, slide] = [make("kind"), make("slide")].map((table) => describeSpace(table, slides, kinds));
  assert.ok(kind!.robustness! > 0.95 && slide!.robustness! < 0.1, `${kind!.robustness}, ${slide!.robustness}`);
  assert.ok(kind!.sameSlide! < 0.45 && slide!.sameSlide! > 0.9, `${kind!.sameSlide}, ${slide!.sameSlide}`);
});

/** Three kinds on two slides, the second of which is judged. */
const ROWS = 180;
const kinds = Array.from({ length: ROWS }, (_, row) => ["fat", "stroma", "tumour"][row % 3]);
const slides = Array.from({ length: ROWS }, (_, row) => row < 90 ? "A" : "B");
const sides = {
  train: Array.from({ length: 90 }, (_, row) => row),
  test: Array.from({ length: 90 }, (_, row) => 90 + row),
};

function planted(centres: readonly number[], noise: number, offset = 0): Table {
  const rng = new Rng(5);
  return {
    rows: ROWS,
    columns: 16,
    data: Float64Array.from({ length: ROWS * 16 }, (_, at) => {
      const [row, f] = [Math.floor(at / 16), at % 16];
      return offset + (f === centres[row % 3] ? 4 : 0) + noise * rng.normal();
    }),
  };
}

const judged = async (features: Table) => ({
  space: describeSpace(features, slides, kinds),
  morphology: await tellKinds(features, kinds, sides),
});

Deno.test("a collapsed encoder is warned of, and one that forgets a kind; one that moved is not", async () => {
  const before = await judged(planted([0, 1, 2], 1));
  assert.equal(before.morphology!.chance, 1 / 3);
  assert.ok(before.morphology!.accuracy > 0.9);
  assert.deepEqual(before.morphology!.kinds.map(({ kind, patches }) => [kind, patches]), [
    ["fat", 30],
    ["stroma", 30],
    ["tumour", 30],
  ]);
  assert.deepEqual(spaceWarnings(before, before), []);
  assert.deepEqual(spaceWarnings(before, await judged(planted([7, 3, 5], 1.2))), [], "turned and a little noisier");
  const [collapsed, ...others] = spaceWarnings(before, await judged(planted([0, 1, 2], 0.2, 40)));
  assert.match(collapsed!.text, /has become narrow/);
  assert.match(collapsed!.reason, /smooth rank \d+\.\d before training, 1\.\d after/);
  assert.deepEqual(others, [], "kinds are still told");
  const [lost, ...more] = spaceWarnings(before, await judged(planted([0, 1, 0], 1)));
  assert.match(lost!.text, /^(fat|tumour) is told from the features no longer$/);
  assert.ok(more.length <= 1);
});

Deno.test("fewer than two kinds on both sides are no probe", async () => {
  const features = planted([0, 1, 2], 1);
  assert.equal(await tellKinds(features, kinds.map(() => undefined), sides), undefined);
  assert.equal(await tellKinds(features, kinds.map((_, row) => row < 90 ? "a" : "b"), sides), undefined);
});

Deno.test("evaluate warns of an adapter that narrows its base's features, and of no other encoder", () => {
  const space = (table: Table) => describeSpace(table, slides);
  const result = (encoder: string, adapter: string, features: Table) =>
    ({ task: "T", encoder, facts: { encoder: "uni", adapter }, space: space(features) }) as unknown as TaskResult;
  const [wide, narrow] = [planted([0, 1, 2], 1), planted([0, 1, 2], 0.2, 40)];
  assert.deepEqual(spaceProblems([result("uni", "none", wide), result("uni + a", "a", wide)]), []);
  const [line, ...others] = spaceProblems([result("uni", "none", wide), result("uni + a", "a", narrow)]);
  assert.match(line!, /^T, uni \+ a: The space of features has become narrow: smooth rank/);
  assert.deepEqual(others, []);
  assert.deepEqual(spaceProblems([result("uni + a", "a", narrow)]), [], "without its base nothing is known");
});
