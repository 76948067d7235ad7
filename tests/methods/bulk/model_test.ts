/**
 * Arms next to PyTorch, the loss with its mask, gradients in parts, bags and exchanged patients, collapse.
 *
 * @seconds 20
 */

import assert from "node:assert/strict";
import { NumericsError } from "../../../src/core/errors.ts";
import { Rng } from "../../../src/core/rng.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import { maskedClip, NO_NEGATIVE } from "../../../src/losses/masked_clip.ts";
import { drawTiles } from "../../../src/methods/bulk/data.ts";
import { probesOf } from "../../../src/methods/bulk/evidence.ts";
import { judge } from "../../../src/methods/bulk/probes.ts";
import { type Arm, createArm } from "../../../src/methods/bulk/model.ts";
import { bulkBatch, bulkStep, expressionOf } from "../../../src/methods/bulk/batch.ts";
import type { BulkSession } from "../../../src/methods/bulk/session.ts";
import { bulkTraining } from "../../../src/methods/bulk/training.ts";
import { storedTiles } from "../../../src/methods/bulk/tiles.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { square, tanh } from "../../../src/ops/activation.ts";
import { sub } from "../../../src/ops/binary.ts";
import { matmul } from "../../../src/ops/matmul.ts";
import { meanAll } from "../../../src/ops/reduce.ts";
import { vectorInput } from "../../../src/train/row_input.ts";
import { armSteps, ArmWatch } from "../../../src/methods/bulk/watch.ts";
import { AdamW } from "../../../src/optim/adamw.ts";
import { cosineSchedule } from "../../../src/optim/schedule.ts";
import { Step } from "../../../src/train/step.ts";
import fixture from "../../fixtures/bulk_train.json" with { type: "json" };
import { DEFAULT_LIMITS, kernelPaths, openGpu } from "../../gpu/shared.ts";
import { trainWorld } from "./driver.ts";
import { configOf, makeWorld } from "./world.ts";

const gpu = await openGpu({ limits: DEFAULT_LIMITS });
Deno.test.afterAll(() => gpu.destroy());

const { dim, genes, batch, tiles, bags, steps } = fixture;

function wave(n: number, s: number, c: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: n }, (_, k) => c * Math.sin(1.7 * k + s));
}

/** Patient of a bag of the fixture's script. */
const patient = (n: number) => (Math.floor(n / 2) % 3 === 0 ? Math.floor(n / 2) * 2 : n);

/** Bags of a step. */
function bagsOf(t: number) {
  const own = Array.from({ length: batch }, (_, b) => (t * batch + b) % bags);
  const rows = own.flatMap((n) => Array.from({ length: tiles }, (_, i) => wave(dim, 0.3 + n + 0.7 * i, 1)));
  const rna = Float32Array.from(own.flatMap((n) => [...wave(genes, 0.9 + 1.3 * n, 1)]));
  const mask = Float32Array.from(
    own.flatMap((n, i) => own.map((m, j) => (i !== j && patient(n) === patient(m) ? NO_NEGATIVE : 0))),
  );
  return { rows, fields: { bound: Uint32Array.from({ length: batch + 1 }, (_, b) => b * tiles), rna, mask } };
}

/** An arm with the fixture's start, trained on its bags. */
async function losses(on: typeof gpu, arm: Arm, aggregate: string, micro?: number) {
  const config = configOf({
    ...{ aggregate, hidden: fixture.hidden, attention_hidden: fixture.attention, rna_hidden: fixture.rna },
    ...{ width: fixture.width, rna_dropout: 0, temperature: fixture.temperature },
  });
  const parameters = new Parameters(on);
  const model = createArm(parameters, arm, { dim, genes }, config);
  const optimizer = new AdamW(parameters, [
    { match: (_, tensor) => tensor.shape.length > 1, weightDecay: fixture.decay },
    { match: () => true },
  ]);
  parameters.load(
    new Map(
      parameters.state().map(([name, { shape, size }], place) => {
        const norm = /(tiles\.norm|rna\.1|rna\.5)\.weight$/.test(name) ? 1 : 0;
        const data = name.endsWith("logit_scale")
          ? Float32Array.of(Math.log(1 / fixture.temperature))
          : wave(size, 1.1 * place, shape.length > 1 ? 0.3 : 0.1).map((value) => norm + value);
        return [name, { shape, data }];
      }),
    ),
  );
  const source = await storedTiles(on, { arms: [], dim, features: () => new Float32Array() });
  const sizes = { genes, bags: batch, tiles, pairing: "bag", lambdaKd: 0 } as const;
  const step = await Step.compile(bulkStep(parameters, model, source, sizes), optimizer, {
    batch,
    rows: batch * tiles,
    ...(micro !== undefined && { micro }),
    ring: steps,
  });
  const rate = cosineSchedule({ base: fixture.lr, total: steps, min: 0 });
  for (let t = 0; t < steps; t++) await step.submit(rate(t), () => bagsOf(t));
  const found = (await step.readMetrics()).map(({ loss }) => loss!);
  const weights = await readback(on, ...parameters.entries().map(([, tensor]) => tensor));
  step.destroy();
  optimizer.destroy();
  parameters.destroy();
  return { losses: found, weights };
}

for (const { path, on } of kernelPaths(gpu)) {
  for (const [name, run] of Object.entries(fixture.runs)) {
    Deno.test(`30 steps give PyTorch's losses, whole and by gradient caching: ${name}, ${path}`, async () => {
      for (const micro of [undefined, 5, 12]) {
        const { losses: found } = await losses(on, run.arm as Arm, run.aggregate, micro);
        assert.equal(found.length, steps);
        found.forEach((got, t) => {
          const off = Math.abs(got - run.losses[t]!) / run.losses[t]!;
          assert.ok(
            off <= 1e-5,
            `loss of step ${t} in parts of ${micro} is ${got}, PyTorch has ${run.losses[t]}: ${off}`,
          );
        });
      }
    });
  }

  Deno.test(`the contrastive loss, plain and with two bags of one patient: ${path}`, async () => {
    const unit = (rows: number[][]) => rows.flatMap((row) => row.map((value) => value / Math.hypot(...row)));
    for (const [kind, wanted] of Object.entries(fixture.worked)) {
      const store = new Store(on);
      const a = store.from("a", "a", [3, 2], unit([[1, 0], [0.6, 0.8], [0.9, 0.1]]));
      const c = store.from("c", "c", [3, 2], unit([[0.8, 0.6], [0, 1], [1, -0.2]]));
      const same = kind === "masked" ? NO_NEGATIVE : 0;
      const mask = store.from("mask", "mask", [3, 3], [0, 0, same, 0, 0, 0, same, 0, 0]);
      const inverse = store.from("inverse", "inverse", [1], [1 / 0.07]);
      store.allocate();
      const g = new Plan(on);
      const loss = g.withoutTape(() => maskedClip(g, a, c, inverse, mask));
      g.output(loss);
      const program = await g.compile();
      program.run();
      const [value] = await readback(on, loss);
      assert.ok(Math.abs(value![0]! - wanted) < 1e-5, `${kind}: ${value![0]}, wanted ${wanted}`);
      program.destroy();
      store.destroy();
    }
    // The published worked numbers are these.
    assert.ok(Math.abs(fixture.worked.plain - 1.461401) < 1e-6 && Math.abs(fixture.worked.masked - 0.79438) < 1e-6);
  });
}

Deno.test("the published gradient of a bag, whole and a tile at a time", async () => {
  for (const micro of [undefined, 3, 1]) {
    const parameters = new Parameters(gpu);
    const w = parameters.add("w", [2, 2], { init: () => Float32Array.of(0.5, -0.2, 0.1, 0.4) });
    const { bags } = createArm(
      parameters,
      "direct",
      { dim: 2, genes: 1 },
      configOf({ train: "encoder", features: "[]" }),
    );
    parameters.allocate();
    const optimizer = new AdamW(parameters, [{ match: () => true }]);
    const step = await Step.compile<Float32Array>(
      {
        parameters,
        rows: { dim: 2, input: vectorInput(2, (g, x) => tanh(g, matmul(g, x, w, { transB: true }))) },
        fields: (store) => ({ bound: store.tensor("bound", "bound", [2], "u32") }),
        objective(g, z, { bound }) {
          const target = g.constant("target", [1, 2], "f32", () => Float32Array.of(1, 0));
          return { loss: meanAll(g, square(g, sub(g, bags(g, z!, bound!), target))) };
        },
      },
      optimizer,
      { batch: 1, rows: 4, ...(micro !== undefined && { micro }) },
    );
    const rows = [[1, 2], [0, 1], [-1, 1], [2, 0]].map((row) => Float32Array.from(row));
    await step.submit(0, () => ({ rows, fields: { bound: Uint32Array.of(0, 4) } }));
    const [{ loss }] = await step.readMetrics() as [{ loss: number }];
    const { data } = (await optimizer.read()).get("exp_avg.w")!;
    const wanted = [-0.294372, -0.880677, 0.14798, 0.271877];
    assert.ok(Math.abs(loss - 0.563732) < 1e-6, `${loss}`);
    // The first moment is a tenth of the gradient.
    wanted.forEach((value, i) =>
      assert.ok(Math.abs(10 * data[i]! - value) < 2e-6, `${10 * data[i]!}, wanted ${value}`)
    );
    step.destroy();
    optimizer.destroy();
    parameters.destroy();
  }
});

Deno.test("a bag is the same in any order of its tiles, by the mean and by attention", async () => {
  const R = 9;
  const rows = Float32Array.from({ length: R * dim }, (_, i) => Math.sin(1.7 * i));
  const turned = Float32Array.from(rows, (_, i) => rows[(R - 1 - Math.floor(i / dim)) * dim + i % dim]!);
  for (const aggregate of ["mean", "gated"]) {
    const parameters = new Parameters(gpu, false);
    const { bags } = createArm(parameters, "direct", { dim, genes }, configOf({ aggregate, attention_hidden: 8 }));
    parameters.allocate();
    const made: Float32Array[] = [];
    for (const x of [rows, turned]) {
      const store = new Store(gpu);
      const [h, bound] = [store.from("h", "h", [R, dim], x), store.from("bound", "bound", [2], [0, R], "u32")];
      store.allocate();
      const g = new Plan(gpu);
      const u = g.withoutTape(() => bags(g, h, bound));
      g.output(u);
      const program = await g.compile();
      program.run();
      made.push(Float32Array.from((await readback(gpu, u))[0]!));
      program.destroy();
      store.destroy();
    }
    const off = Math.max(...made[0]!.map((value, i) => Math.abs(value - made[1]![i]!)));
    assert.ok(off <= 1e-6 && made[0]!.some((value) => value !== 0), `${aggregate}: ${off}`);
    parameters.destroy();
  }
});

const SMALL = {
  ...{ steps: 12, batch_size: 6, tiles: 4, lr: 1e-3, hidden: 8, rna_hidden: 8, width: 4, log_every: 1, eval_every: 1 },
  arms: "contrastive,direct,shuffled",
};

Deno.test("all arms draw the same tiles; the control exchanges every patient within its part; bags of one patient are masked", async () => {
  const data = makeWorld(0, 40, 6);
  const [a] = data.slides;
  const draw = { tiles: 4, seed: 1, epoch: 3 };
  assert.deepEqual(drawTiles(a!, draw), drawTiles(a!, draw));
  assert.notDeepEqual(drawTiles(a!, draw), drawTiles(a!, { ...draw, epoch: 4 }));
  assert.deepEqual([...expressionOf(data, "direct", 1)], data.patients.map((_, p) => p));
  const exchanged = expressionOf(data, "shuffled", 1);
  assert.deepEqual([...exchanged].sort((a, b) => a - b), data.patients.map((_, p) => p));
  exchanged.forEach((of, p) => {
    assert.notEqual(of, p);
    assert.equal(data.slides[of]!.part, data.slides[p]!.part);
  });
  const twins = [data.slides[0]!, { ...data.slides[1]!, patient: 0 }, data.slides[2]!];
  const source = await storedTiles(gpu, { arms: [], dim: data.dim, features: ({ rows }) => rows! });
  const own = expressionOf(data, "direct", 1);
  const { fields, rows } = await bulkBatch(data, source, twins, own, { ...draw, pairing: "bag", lambdaKd: 0 });
  assert.deepEqual([...fields!.mask!], [0, NO_NEGATIVE, 0, NO_NEGATIVE, 0, 0, 0, 0, 0].map(Math.fround));
  assert.deepEqual([...fields!.bound!], [0, 4, 8, 12]);
  assert.equal(rows!.length, 12);
  assert.deepEqual([...fields!.rna!.subarray(0, 100)], [...fields!.rna!.subarray(100, 200)]);
});

Deno.test("stopped in any arm, a run goes on to the same bytes; unchanged features have equal probes", async () => {
  const data = makeWorld(1, 40, 6);
  const config = configOf({ ...SMALL, micro_batch: 10 });
  const whole = await trainWorld(gpu, config, data);
  const bytes = (run: string) =>
    ["model.safetensors", "optimizer.safetensors", "bulk.json", "genes.tsv"].map((name) =>
      Deno.readFileSync(`${run}/checkpoints/last/${name}`)
    );
  const wanted = bytes(whole.folder);
  const broken = Deno.makeTempDirSync({ prefix: "bulk_stop_" });
  let stops = 0;
  for (const after of [3, 11, 2, 7, Infinity]) {
    const { session, reason } = await trainWorld(gpu, config, data, { folder: broken, after });
    session.close();
    if (reason === "interrupted") stops++;
  }
  assert.ok(stops >= 3, `${stops} stops`);
  bytes(broken).forEach((found, i) => assert.deepEqual(found, wanted[i], `file ${i}`));
  const { rows, deltas, tasks } = await probesOf(whole.session);
  assert.deepEqual(rows.map(({ id }) => id), ["base", "contrastive", "direct", "shuffled"]);
  assert.deepEqual(tasks.map(({ name }) => name), ["sign of z0", "sign of z1", "Expression"]);
  assert.ok(
    deltas.every(({ low, value, high }) => low! <= value + 1e-9 && value - 1e-9 <= high!),
    JSON.stringify(deltas),
  );
  whole.session.close();
  const still = await trainWorld(gpu, configOf({ ...SMALL, lr: 1e-30, arms: "direct" }), data);
  const same = await probesOf(still.session);
  assert.deepEqual(same.rows[1]!.values, same.rows[0]!.values);
  assert.ok(same.deltas.every(({ value, low, high }) => value === 0 && low === 0 && high === 0));
  still.session.close();
  for (const run of [whole.folder, broken, still.folder]) Deno.removeSync(run, { recursive: true });
});

Deno.test("each arm ends in the weights with which probes of validation patients gained most, stopped and taken up or not", async () => {
  const data = makeWorld(4, 80, 6);
  const config = configOf({ ...SMALL, steps: 60, lr: 2e-2, arms: "contrastive,direct", early_stop_patience: 4 });
  const { session, folder } = await trainWorld(gpu, config, data);
  const metrics = Deno.readTextFileSync(`${folder}/metrics.jsonl`);
  const logged = metrics.trim().split("\n").map((line) => JSON.parse(line));
  const steps = armSteps(metrics, config.model.arms);
  for (const [i, arm] of session.arms.entries()) {
    const gains = logged.filter(({ stage, split }) => stage === arm.arm && split === "val").map(({ val_gain }) =>
      val_gain
    );
    const most = Math.max(...gains);
    const { val_gain: now } = await new ArmWatch(session, arm).evaluate();
    assert.ok(Math.abs(now! - most) < 1e-7, `${arm.arm} is kept at ${now}, of ${gains}`);
    assert.equal(gains.length - 1 - gains.indexOf(most), 4, `${arm.arm} stopped behind ${gains}`);
    const { from, to, best } = steps[i]!;
    assert.equal(logged.find(({ step, split }) => step === best && split === "val").val_gain, most);
    assert.ok(best! < to && to < from + 60, JSON.stringify(steps));
  }
  assert.equal(steps[1]!.from, steps[0]!.to);
  const { rows } = await probesOf(session, steps);
  assert.match(rows[1]!.note!, /; step \d+ of \d+ kept, by validation patients$/);
  session.close();
  const broken = Deno.makeTempDirSync({ prefix: "bulk_best_" });
  for (const after of [9, steps[0]!.to, 3, Infinity]) {
    (await trainWorld(gpu, config, data, { folder: broken, after })).session.close();
  }
  for (const file of ["last/model.safetensors", "best/model.safetensors", "last/optimizer.safetensors"]) {
    const [a, b] = [folder, broken].map((run) => Deno.readFileSync(`${run}/checkpoints/${file}`));
    assert.deepEqual(b, a, file);
  }
  assert.equal(Deno.readTextFileSync(`${broken}/metrics.jsonl`), metrics);
  for (const run of [folder, broken]) Deno.removeSync(run, { recursive: true });
});

Deno.test("genes that are constant over the test patients count nothing, and their number is said", async () => {
  const data = makeWorld(2, 40, 4);
  const rna = data.rna.slice();
  for (const { patient, part } of data.slides) if (part === "test") rna.fill(0.5, patient * 100, patient * 100 + 3);
  const { session, folder } = await trainWorld(gpu, configOf({ ...SMALL, steps: 1, arms: "direct" }), { ...data, rna });
  const { tasks } = await probesOf(session);
  assert.equal(tasks.at(-1)!.note, "3 of 100 genes are constant over them and count nothing");
  session.close();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("features that collapse stop the run, with their rank; others do not", async () => {
  const data = makeWorld(3, 40, 6);
  const folder = Deno.makeTempDirSync({ prefix: "bulk_collapse_" });
  const config = configOf({ ...SMALL, arms: "direct", lr: 1e-30, steps: 5 });
  // One direction outweighs all others.
  const begin = ({ parameters }: BulkSession) => {
    const bias = parameters.get("direct.tiles.2.bias");
    parameters.store.write(bias, new Float32Array(bias.size).fill(1e4));
  };
  await assert.rejects(trainWorld(gpu, config, data, { folder, begin }), (error: Error) => {
    assert.ok(error instanceof NumericsError, String(error));
    assert.match(
      error.message,
      /Cannot go on training direct: the smooth rank of its features is 1\.\d+, wanted at least/,
    );
    return true;
  });
  const fine = await trainWorld(gpu, config, data);
  assert.equal(fine.reason, "finished");
  const { facts, agree } = bulkTraining(fine.session).inputs;
  agree(facts, "RUN", true);
  assert.throws(() => agree({ ...facts, genes: "0" }, "RUN", true), /Cannot go on with RUN: genes changed since/);
  assert.throws(() => agree({ ...facts, data: "0" }, "RUN", true), /RUN: tiles or expression changed since/);
  fine.session.close();
  for (const run of [folder, fine.folder]) Deno.removeSync(run, { recursive: true });
});

Deno.test("probes of one test patient or of one class are not defined, and say why", () => {
  const data = makeWorld(1, 12, 2);
  const features = { rows: 12, columns: 3, data: Float64Array.from(new Rng(1, 0).normals(36)) };
  const labels = new Map([["same", data.patients.map(() => "a")], ["none", data.patients.map(() => "")]]);
  const judged = judge({ ...data, labels }, features, { train: [0, 1, 2, 3, 4, 5, 6, 7], test: [9] });
  assert.deepEqual(judged.map(({ task: { name, note } }) => [name, note]), [
    ["same", "training patients have one class"],
    ["none", "training patients have no class"],
    ["Expression", "a correlation takes two test patients or more"],
  ]);
  assert.deepEqual(judged.map(({ score }) => score([0])), [null, null, null]);
});
