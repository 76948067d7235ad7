/** `Run.evaluate` by a protocol gives the numbers that the command writes, for what was trained and for the encoder before. @seconds 25 */

import assert from "node:assert/strict";
import { openHest, openRun, type ProbeScores, train } from "../../../mod.ts";
import { planSynth } from "../../../src/data/synth/plan.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { disk } from "../../../src/io/fs.ts";
import { seal } from "../../cli/command.ts";
import { openGpu } from "../../gpu/shared.ts";

const ENCODER = decodeURIComponent(new URL("../../../data/demo/encoder", import.meta.url).pathname);

interface Summary {
  readonly mean: number;
  readonly per_fold: readonly number[];
}
interface Scored {
  readonly pearson: Summary;
  readonly pearson_per_slide: Summary;
  readonly spearman: Summary;
  readonly r2_intercept: Summary;
  readonly baselines: { readonly depth_only: Omit<Scored, "baselines"> };
  readonly penalty: string;
}

function same(got: ProbeScores, wanted: Omit<Scored, "baselines" | "penalty">, what: string): void {
  const pairs = [
    [got.pearson, wanted.pearson],
    [got.sectionPearson, wanted.pearson_per_slide],
    [got.spearman, wanted.spearman],
    [got.r2, wanted.r2_intercept],
  ] as const;
  for (const [a, b] of pairs) {
    assert.equal(a.folds.length, b.per_fold.length);
    // Batches of another size round otherwise.
    a.folds.forEach((value, i) =>
      assert.ok(Math.abs(value - b.per_fold[i]!) < 1e-3, `${what}: ${value}, ${b.per_fold[i]}`)
    );
  }
}

Deno.test("evaluate() by a protocol gives folds, truth, penalty, depth and gain as the command does", async () => {
  const gpu = await openGpu();
  const folder = Deno.makeTempDirSync({ prefix: "module_protocol_" });
  try {
    const data = `${folder}/hest`;
    await writeSynth(disk, data, planSynth({ profile: "smoke" }), {
      makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
    });
    const out = `${folder}/run`;
    const config = {
      epochs: 1,
      steps: 2,
      batch_size: 16,
      n_train_genes: 64,
      panel_genes: 8,
      hidden_dims: [16],
    } as const;
    await train("seal", { gpu, encoder: ENCODER, data, out, config: { ...config, workers: 0 } });
    const run = await openRun(out, { gpu, checkpoint: "last", batchSize: 8 });
    const scores = await run.evaluate(data, { protocol: "hest-bench/1", panelGenes: 10 });
    await assert.rejects(run.evaluate(data, { protocol: "hest-bench/9" }), { name: "ConfigError", hint: /hest-bench/ });
    // Of what was opened only the chosen samples, and where it says that counts are.
    const two = await openHest(data, { samples: (await openHest(data)).samples.slice(0, 2).map(({ id }) => id) });
    const few = await run.evaluate(two, { protocol: "hest-bench/1", panelGenes: 10, leaveOut: "sample" });
    let spots = 0;
    for (const { id } of two.samples) spots += (await two.sample(id)).count;
    assert.deepEqual([few.folds.length, few.spots], [2, spots]);
    const elsewhere = await openHest(data, { counts: "layers/none" });
    await assert.rejects(run.evaluate(elsewhere, { protocol: "hest-bench/1" }), { message: /no layers\/none/ });
    await assert.rejects(run.evaluate(elsewhere), { message: /no layers\/none/ });
    const [patches] = [...Deno.readDirSync(`${data}/patches`)].map(({ name }) => `${data}/patches/${name}`);
    Deno.renameSync(patches!, `${folder}/away.h5`);
    // Told before counts are read and anything is embedded.
    await assert.rejects(run.evaluate(data, { protocol: "hest-bench/1" }), { name: "DataError", hint: /convert/ });
    Deno.renameSync(`${folder}/away.h5`, patches!);
    await run.close();
    const results = `${folder}/evaluation`;
    const flags = ["--data", data, "--out", results, "--panel-genes", "10", "--quiet"];
    const last = `${out}/checkpoints/last`;
    const { code, err } = await seal("evaluate", "--encoder", ENCODER, "--adapter", last, ...flags);
    assert.ok(code === 0 || code === 3, err);
    const { encoders, tasks, comparisons } = JSON.parse(Deno.readTextFileSync(`${results}/results.json`)) as {
      encoders: { tasks: (Scored & { headline: Scored; spots: number })[] }[];
      tasks: { folds: { name: string }[] }[];
      comparisons: {
        protocol: string;
        metric: string;
        task: string;
        mean: number;
        interval: [number, number] | null;
      }[];
    };
    const [frozen, trained] = encoders.map(({ tasks: [task] }) => task!) as [
      Scored,
      Scored & { headline: Scored; spots: number },
    ];
    same(scores, trained, "trained");
    same(scores.frozen, frozen, "frozen");
    same(scores.depth, trained.baselines.depth_only, "depth");
    same(scores.headline, trained.headline, "headline");
    assert.deepEqual([scores.penalty, scores.headline.penalty], [trained.penalty, trained.headline.penalty]);
    assert.deepEqual(scores.folds, tasks[0]!.folds.map(({ name }) => name));
    assert.deepEqual([scores.spots, scores.truth], [trained.spots, "log1p counts"]);
    const own = comparisons.filter(({ task }) => task !== "all");
    assert.deepEqual(
      scores.gain.map(({ metric, protocol }) => [metric, protocol]),
      own.map(({ metric, protocol }) => [metric, protocol]),
    );
    scores.gain.forEach(({ mean, interval }, i) => {
      assert.ok(Math.abs(mean - own[i]!.mean) < 1e-3);
      assert.equal(interval === null, own[i]!.interval === null);
    });
  } finally {
    gpu.destroy();
    Deno.removeSync(folder, { recursive: true });
  }
});
