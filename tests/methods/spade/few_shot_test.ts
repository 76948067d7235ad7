/**
 * Few labels on features as given and of SPADE: the sign of a latent within a type, from the same rows.
 *
 * @seconds 60
 */

import assert from "node:assert/strict";
import { kshot, type KshotResult, type Labelled } from "../../../src/eval/kshot.ts";
import { mean } from "../../../src/eval/linalg/statistics.ts";
import { table } from "../../../src/eval/linalg/table.ts";
import { DEFAULT_LIMITS, openGpu } from "../../gpu/shared.ts";
import { configOf, dataOf, embed, rowsOf, trainWorld } from "./driver.ts";
import { makeWorld, SG2, WORLD } from "./world.ts";

const gpu = await openGpu({ limits: DEFAULT_LIMITS });
Deno.test.afterAll(() => gpu.destroy());

const SHOTS = [1, 5, 25];
/** Draws of each k. */
const DRAWS = 10;

Deno.test("with few labels SPADE leads over the features as given, all on the same draws", async () => {
  const world = makeWorld(SG2, 0);
  const folder = Deno.makeTempDirSync({ prefix: "spade_few_" });
  const { session } = await trainWorld(
    gpu,
    configOf({
      ...{ fine: 8, coarse: 8, width: 16, lr: 2e-3, epochs: 60, batch_size: 128, eval_every: 60, log_every: 1000 },
      controls: "[]",
    }),
    dataOf(world),
    { folder },
  );
  const sides = [rowsOf(world, 0, SG2.train), rowsOf(world, SG2.train, SG2.rows)];
  const features: Record<string, { data: Float32Array; width: number }[]> = {
    base: sides.map(({ image }) => ({ data: image, width: SG2.dim })),
  };
  for (const bank of session.banks) {
    const made = await Promise.all(sides.map((side) => embed(session, bank, side)));
    features[bank.name] = made.map(({ image, width }) => ({ data: image, width }));
  }
  session.close();
  Deno.removeSync(folder, { recursive: true });
  const found = new Map<string, KshotResult[]>();
  for (const [name, own] of Object.entries(features)) {
    const results: KshotResult[] = [];
    for (let type = 0; type < WORLD.types; type++) {
      for (let j = 0; j < 2; j++) {
        const [train, test] = sides.map((side, s) => {
          const rows = Array.from({ length: side.type.length }, (_, r) => r).filter((r) => side.type[r] === type);
          const { data, width } = own[s]!;
          return {
            features: table(
              rows.length,
              width,
              Float32Array.from(rows.flatMap((r) => [...data.subarray(r * width, (r + 1) * width)])),
            ),
            labels: rows.map((r) => (side.z[r * SG2.latent + j]! > 0 ? "more" : "less")),
          };
        }) as Labelled[];
        results.push(kshot(train!, test!, { shots: SHOTS, draws: DRAWS, seed: j }));
      }
    }
    found.set(name, results);
  }
  const draws = [...found.values()].map((results) => results.map(({ drawsSha256 }) => drawsSha256));
  for (const own of draws) assert.deepEqual(own, draws[0]);
  const score = (name: string, k: number) => mean(found.get(name)!.map(({ scores }) => scores[k]!.mean!));
  const text = [...found.keys()].map((name) => `${name} ${SHOTS.map((_, k) => score(name, k).toFixed(3)).join(" ")}`)
    .join("; ");
  console.log(text);
  [0.08, 0.08, 0.04].forEach((least, k) => assert.ok(score("spade", k) - score("base", k) >= least, text));
});
