/**
 * The encoder of tiles trained through bags: gradients in parts are those of the whole batch, runs go on to the same bytes, and
 * nothing but the updates changes.
 *
 * @seconds 30
 */

import assert from "node:assert/strict";
import { SILENT } from "../../../src/core/reporter.ts";
import type { PatchSource } from "../../../src/data/patch_source.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { disk } from "../../../src/io/fs.ts";
import { writePatches } from "../../../src/io/patches_write.ts";
import { bulkBatch, bulkStep, expressionOf } from "../../../src/methods/bulk/batch.ts";
import type { BulkData, BulkSlide } from "../../../src/methods/bulk/data.ts";
import { probesOf } from "../../../src/methods/bulk/evidence.ts";
import { readVectors, standardVectors } from "../../../src/methods/bulk/modality.ts";
import { patchFilesOf, patchTableOf } from "../../../src/methods/bulk/slides.ts";
import { openSession } from "../../../src/methods/bulk/session.ts";
import { deadArms } from "../../../src/methods/bulk/watch.ts";
import { bulkTraining } from "../../../src/methods/bulk/training.ts";
import { hostOf } from "../../../src/run/host.ts";
import { Step } from "../../../src/train/step.ts";
import { mix } from "../../../src/verify/formula.ts";
import { ended, launched } from "../../cli/command.ts";
import { kernelPaths, openGpu } from "../../gpu/shared.ts";
import { trainIn, Watched } from "../../train/driver.ts";
import { configOf } from "./world.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const SIDE = 32, TILES = 5, PATIENTS = 8, GENES = 6;
const ENCODER = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32";

/** A patch of a formula: its patient's colour, and noise. */
function patch(tile: number): Uint8Array {
  const colour = mix(Math.floor(tile / TILES) + 11);
  return Uint8Array.from(
    { length: SIDE * SIDE * 3 },
    (_, i) => ((colour >> (8 * (i % 3))) & 127) + (mix(tile * 7919 + i) & 63),
  );
}

/** Patches that no file holds. */
function source(): PatchSource {
  const batch = ({ pairs }: { pairs: Uint32Array }) =>
    Promise.resolve({ pairs, data: Uint8Array.from([...pairs].flatMap((tile) => [...patch(tile)])) });
  const times = { read: 0, augment: 0, patches: 0, cached: 0, wait: 0, batches: 0 };
  return {
    size: SIDE,
    times,
    batch,
    async *batches(all) {
      for (const one of all) yield await batch(one);
    },
    close() {},
  };
}

const host = { ...hostOf(SILENT), openPatches: source };

function dataOf(): BulkData {
  const slides = Array.from({ length: PATIENTS + 1 }, (_, i): BulkSlide => {
    // The first patient has two slides.
    const patient = Math.max(0, i - 1);
    const part = patient >= 6 ? "test" : patient === 5 ? "val" : "train";
    return { slide: `slide ${i}`, patient, part, count: TILES, first: i * TILES };
  });
  const total = slides.length * TILES;
  return {
    dim: 0,
    slides,
    patches: {
      table: {
        files: ["f"],
        file: new Uint32Array(total),
        row: Uint32Array.from({ length: total }, (_, i) => i),
        size: SIDE,
      },
      sha256: slides.map(() => "0".repeat(64)),
    },
    patients: Array.from({ length: PATIENTS }, (_, p) => `p${p}`),
    genes: Array.from({ length: GENES }, (_, g) => `G${g}`),
    rna: Float32Array.from({ length: PATIENTS * GENES }, (_, i) => ((mix(i + 5) & 255) - 128) / 64),
    statistics: { mean: new Float64Array(GENES), std: new Float64Array(GENES).fill(1) },
    unit: "log2, as given",
    manifest: "0".repeat(64),
    labels: new Map(),
    notes: [],
    mark: { fingerprint: "0".repeat(64), check: () => Promise.resolve() },
  };
}

const SMALL = {
  ...{ train: "encoder", encoder: ENCODER, features: "[]", patches: "p", arms: "contrastive", cache_dtype: "f32" },
  ...{ batch_size: 4, tiles: 3, rna_hidden: 8, width: 4, log_every: 1, eval_every: 1, attention_hidden: 4, seed: 3 },
};

interface Gradients {
  readonly loss: number;
  readonly moments: ReadonlyMap<string, Float32Array>;
}

/** Loss and first moments, 0.1 times the gradients, of a batch at rate 0. */
async function gradients(on: typeof gpu, given: Record<string, string | number>, micro?: number): Promise<Gradients> {
  const config = configOf({ ...SMALL, ...given });
  const data = dataOf();
  const session = await openSession(on, config, data, host);
  const { parameters, tiles, optimizer, arms: [arm] } = session;
  await tiles.before();
  // B of LoRA starts at zero, where A has no gradient, and so does the head of regression.
  for (const [name, tensor] of parameters.trainableEntries()) {
    if (!/lora_|head\.weight$/.test(name)) continue;
    parameters.store.write(tensor, Float32Array.from({ length: tensor.size }, (_, i) => Math.sin(i + 1) / 8));
  }
  const { pairing, lambda_kd: lambdaKd } = config.model;
  const bags = [0, 1, 3, 5].map((i) => data.slides[i]!);
  const model = bulkStep(parameters, arm!, tiles, { genes: GENES, bags: 4, tiles: 3, pairing, lambdaKd });
  const step = await Step.compile(model, optimizer, {
    batch: 4,
    rows: 12,
    seed: 9,
    ...(micro !== undefined && { micro }),
  });
  const draw = { tiles: 3, seed: 3, epoch: 0, pairing, lambdaKd };
  const batch = await bulkBatch(data, tiles, bags, expressionOf(data, arm!.arm, 3), draw);
  await step.submit({ [arm!.arm]: 0, encoder: 0 }, () => batch);
  const [{ loss }] = await step.readMetrics() as [{ loss: number }];
  const state = await optimizer.read();
  const moments = new Map(
    [...state].flatMap(([name, { data }]): [string, Float32Array][] =>
      name.startsWith("exp_avg.") ? [[name, Float32Array.from(data)]] : []
    ),
  );
  step.destroy();
  session.close();
  return { loss, moments };
}

const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

const CASES: readonly (readonly [string, Record<string, string | number>])[] = [
  ["contrastive, with dropout, kept near the start", { lambda_kd: 0.1 }],
  ["direct, gated, pixels each time", { arms: "direct", aggregate: "gated", cache: "off" }],
  ["contrastive, tile by tile", { pairing: "tile" }],
  ["direct, the last block itself", { arms: "direct", use_lora: "false" }],
];

Deno.test("an encoder trains one arm, direct unless said; stored features both", () => {
  const arms = (more: Record<string, string>) => configOf({ features: "[]", ...more }).model.arms;
  assert.deepEqual(arms({ train: "encoder", patches: "p" }), ["direct"]);
  assert.deepEqual(arms({ train: "encoder", patches: "p", arms: "contrastive" }), ["contrastive"]);
  assert.deepEqual(arms({ features: "f" }), ["contrastive", "direct"]);
});

for (const { path, on } of kernelPaths(gpu)) {
  for (const [name, given] of path === "kernels for GPUs" ? CASES.slice(0, 1) : CASES) {
    Deno.test(`gradients of the encoder through bags in parts are those of the whole batch: ${name}, ${path}`, async () => {
      const whole = await gradients(on, given);
      const own = [...whole.moments].filter(([name]) => /blocks\./.test(name));
      assert.ok(own.length > 0 && own.some(([, data]) => largest(data) > 0), `${own.length} moments of the encoder`);
      const most = Math.max(...[...whole.moments.values()].map(largest));
      // Parts of 5 end within bags of 3 tiles.
      for (const micro of [5, 3]) {
        const parts = await gradients(on, given, micro);
        assert.ok(Math.abs(parts.loss - whole.loss) <= 1e-5 * whole.loss, `${parts.loss}, wanted ${whole.loss}`);
        for (const [name, data] of whole.moments) {
          const off = largest(data.map((value, i) => value - parts.moments.get(name)![i]!));
          assert.ok(off <= 1e-5 * Math.max(largest(data), 0.1 * most), `${name} in parts of ${micro}: ${off}`);
        }
      }
    });
  }
}

Deno.test("vectors of patients are those of the table by name, scaled by who trains; one that is missing is named", () => {
  const folder = Deno.makeTempDirSync({ prefix: "bulk_vectors_" });
  const table = `${folder}/v.csv`;
  disk.write(table, "case_id,a,b\np2,5,1\np0,1,1\np1,3,1\n");
  const read = readVectors(disk, table, ["p0", "p1", "p2"]);
  assert.deepEqual([read.width, ...read.values], [2, 1, 1, 3, 1, 5, 1]);
  assert.deepEqual([...standardVectors(read, ["train", "train", "test"]).values], [-1, 0, 1, 0, 3, 0]);
  assert.throws(
    () => readVectors(disk, table, ["p0", "p9"]),
    /it has no line of p9, expected one of each of 2 patients/,
  );
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("contrastive arms whose loss stays at that of guessing are told; direct ones and those that leave it late are not", () => {
  const lines = (stage: string, loss: (step: number) => number, from = 0) =>
    Array.from({ length: 10 }, (_, i) => JSON.stringify({ stage, step: from + i + 1, loss: loss(i) }));
  const guess = Math.log(16);
  const metrics = [
    ...lines("contrastive", () => guess * 1.005),
    ...lines("direct", () => guess, 10),
    ...lines("shuffled", (step) => guess * (step > 5 ? 0.9 : 1), 20),
  ].join("\n");
  assert.deepEqual(deadArms(metrics + "\n", ["contrastive", "direct", "shuffled"], 16), ["contrastive"]);
  assert.deepEqual(deadArms(metrics, ["contrastive"], 12), []);
});

Deno.test("folders of patch files: HEST's layout stands for its patches; none, two of a slide and two sizes are refused", () => {
  const folder = Deno.makeTempDirSync({ prefix: "bulk_patches_" });
  for (const name of ["a/patches/S1.h5", "a/patches/S2.h5", "b/S1.h5"]) {
    Deno.mkdirSync(`${folder}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    disk.write(`${folder}/${name}`, "-");
  }
  assert.deepEqual(
    [...patchFilesOf(disk, [`${folder}/a/`])],
    ["S1", "S2"].map((id) => [id, `${folder}/a/patches/${id}.h5`]),
  );
  assert.throws(() => patchFilesOf(disk, [`${folder}/a`, `${folder}/b`]), /slide S1 has .*\/a\/patches\/S1.h5 too/);
  assert.throws(() => patchFilesOf(disk, [`${folder}/c`]), /there is no such folder/);
  const { file, row, size } = patchTableOf([{ path: "x", count: 2, size: 8 }, { path: "y", count: 1, size: 8 }]);
  assert.deepEqual([[...file], [...row], size], [[0, 0, 1], [0, 1, 0], 8]);
  assert.throws(
    () => patchTableOf([{ path: "x", count: 1, size: 8 }, { path: "y", count: 1, size: 9 }]),
    /y: patches of 9 px/,
  );
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("stopped and taken up, the encoder's run ends in the same bytes; its own weights stay, probes of what did not move are equal", async () => {
  const given = { ...SMALL, steps: 5, micro_batch: 5, encoder_lr: 1e-3, lr: 1e-3 };
  const data = dataOf();
  const train = async (folder: string, after: number, more: Record<string, number> = {}) => {
    const session = await openSession(gpu, configOf({ ...given, ...more }), data, host);
    const { encoder } = session.encoder!.opened;
    const frozen = encoder.names.filter((name) => !name.includes("lora_"));
    const read = () => readback(gpu, ...frozen.map((name) => session.parameters.get(name)));
    const before = await read();
    await session.tiles.before();
    await trainIn(folder, bulkTraining(session), new Watched(after));
    assert.deepEqual(await read(), before);
    const probes = after === Infinity ? await probesOf(session) : undefined;
    session.close();
    return probes;
  };
  const [whole, broken, still] = ["whole", "broken", "still"].map((name) =>
    Deno.makeTempDirSync({ prefix: `bulk_${name}_` })
  );
  const moved = await train(whole!, Infinity);
  for (const after of [2, 1, Infinity]) await train(broken!, after);
  for (const name of ["adapter_model.safetensors", "model.safetensors", "optimizer.safetensors", "bulk.json"]) {
    const [a, b] = [whole, broken].map((run) => Deno.readFileSync(`${run}/checkpoints/last/${name}`));
    assert.deepEqual(a, b, name);
  }
  assert.deepEqual(moved!.rows.map(({ id }) => id), ["base", "contrastive"]);
  assert.match(moved!.rows[1]!.note!, /^tiles moved by 0\.(0[1-9]|[1-9])/);
  const same = await train(still!, Infinity, { encoder_lr: 1e-30, lr: 1e-30 });
  assert.deepEqual(same!.rows[1]!.values, same!.rows[0]!.values);
  assert.equal(same!.rows[1]!.note, "tiles moved by 0.00 of their length");
  for (const run of [whole, broken, still]) Deno.removeSync(run!, { recursive: true });
});

Deno.test("the command trains an encoder on patch files and its adapter embeds patches; what does not fit is refused", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "bulk_encoder_" });
  const names = Array.from({ length: 6 }, (_, p) => `TCGA-AA-000${p}-01Z-00-DX1`);
  disk.write(
    `${folder}/rna.tsv`,
    ["sample", ...names.map((name) => name.slice(0, 15))].join("\t") + "\n" +
      Array.from({ length: 4 }, (_, g) => [`G${g}`, ...names.map((_, p) => mix(9 * p + g) & 15)].join("\t")).join(
        "\n",
      ) + "\n",
  );
  Deno.mkdirSync(`${folder}/data/patches`, { recursive: true });
  for (const [p, name] of names.entries()) {
    await writePatches(disk, `${folder}/data/patches/${name}.h5`, {
      generation: "current",
      ...{ size: SIDE, sizeOnSlide: SIDE, slidePixelSize: 0.5, pixelSize: 0.5 },
      barcodes: Array.from({ length: TILES }, (_, t) => `tile ${t}`),
      coords: BigInt64Array.from({ length: 2 * TILES }, (_, i) => BigInt(i * SIDE)),
      pixels: (put) => {
        for (let t = 0; t < TILES; t++) put(t, patch(p * TILES + t));
      },
    });
  }
  // Adapters belong to weights of a file.
  const encoder = new URL("../../../data/demo/encoder", import.meta.url).pathname;
  const main = async (...words: string[]) => await ended((await launched(words)).output());
  const words = (out: string, ...more: string[]) => [
    ...["train", "--quiet", "method=bulk", "train=encoder", `patches=${folder}/data`, `expression=${folder}/rna.tsv`],
    ...[
      `encoder=${encoder}`,
      "steps=2",
      "batch_size=3",
      "tiles=2",
      "rna_hidden=4",
      "width=3",
      "--out",
      `${folder}/${out}`,
    ],
    ...more,
  ];
  const trained = await main(...words("run"));
  assert.equal(trained.code, 0, trained.err);
  const patches = `${folder}/data/patches/${names[0]}.h5`;
  const adapter = `${folder}/run/checkpoints/last`;
  const made = await main(
    "embed",
    patches,
    "--quiet",
    "--encoder",
    encoder,
    "--adapter",
    adapter,
    "--out",
    `${folder}/made`,
  );
  assert.equal(made.code, 0, made.err);
  const refused = await main("embed", "--quiet", "--run", `${folder}/run`, "--out", `${folder}/other`);
  assert.equal(refused.code, 2, refused.err);
  assert.match(refused.err, /its encoder takes patches/);
  const two = await main(...words("two", "arms=contrastive,direct"));
  assert.equal(two.code, 2, two.err);
  assert.match(two.err, /arms are contrastive, direct, wanted one, for a run has one encoder/);
  Deno.removeSync(folder, { recursive: true });
});
