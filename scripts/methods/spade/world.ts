/**
 * SPADE on a world whose types of tissue each have a relation of their own between image and expression: beside one expert
 * for all pairs, one as large as all experts together, and experts on a random partition.
 *
 *     deno run -A scripts/methods/spade/world.ts [--backend dawn] [seed ...]
 *
 * Prints the four rows and what must hold of them; exits with 1 where something does not.
 */

import { alignRows } from "../../../src/core/text_table.ts";
import { adjustedRand } from "../../../tests/eval/rand_index.ts";
import {
  configOf,
  dataOf,
  embed,
  neighbourPearson,
  recallWithinTypes,
  rowsOf,
  trainWorld,
} from "../../../tests/methods/spade/driver.ts";
import { makeWorld, SG1 } from "../../../tests/methods/spade/world.ts";
import { worldGpu } from "../world_gpu.ts";

const numbers = Deno.args.filter((arg) => /^\d+$/.test(arg));
const seeds = numbers.length > 0 ? numbers.map(Number) : [0, 1];
const gpu = await worldGpu();
let failed = 0;

/** Says whether something holds. */
function must(name: string, value: number, least: number): void {
  const holds = value >= least;
  if (!holds) failed++;
  console.log(`${holds ? "holds" : "FAILS"}  ${name}: ${value.toFixed(3)}, at least ${least} wanted`);
}

for (const seed of seeds) {
  const world = makeWorld(SG1, seed);
  const config = configOf({
    ...{ fine: 8, coarse: 8, width: 16, lr: 2e-3, epochs: 60, batch_size: 128, eval_every: 10, log_every: 1000 },
    controls: "single,wide,random",
    seed,
  });
  const begun = performance.now();
  const { session, folder } = await trainWorld(gpu, config, dataOf(world));
  Deno.removeSync(folder, { recursive: true });
  const { clusters } = session.state;
  const types = world.type.subarray(0, SG1.train);
  const labels = Array.from(clusters!.fine, (k) => clusters!.table[k]!);
  const [train, test] = [rowsOf(world, 0, SG1.train), rowsOf(world, SG1.train, SG1.rows)];
  const found = new Map<string, { recall: number; pearson: number }>();
  for (const bank of session.banks) {
    const [a, b] = [await embed(session, bank, train), await embed(session, bank, test)];
    const pearson = neighbourPearson(
      { gene: a.gene, type: train.type, expression: train.gene },
      { image: b.image, type: test.type, expression: test.gene },
      a.width,
    );
    found.set(bank.name, { recall: recallWithinTypes(b, test.type), pearson });
  }
  session.close();
  console.log(`\nseed ${seed}, ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  const rows = [...found].map(([name, { recall, pearson }]) => [name, recall.toFixed(3), pearson.toFixed(3)]);
  for (const line of alignRows([["model", "recall@5", "r"], ...rows])) console.log(line);
  const of = (name: string) => found.get(name)!;
  must("Rand index of experts and types", adjustedRand(labels, types), 0.95);
  must("recall above the single expert", of("spade").recall - of("single").recall, 0.2);
  must("r above the single expert", of("spade").pearson - of("single").pearson, 0.08);
  must("recall above the random partition", of("spade").recall - of("random").recall, 0.4);
  must("r above the random partition", of("spade").pearson - of("random").pearson, 0.2);
  must("r above the wide single expert", of("spade").pearson - of("wide").pearson, -0.03);
}
gpu.destroy();
if (failed > 0) Deno.exit(1);
