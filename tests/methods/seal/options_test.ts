/** Whatever a configuration may ask for trains: three steps of every option, with finite numbers that move. */

import assert from "node:assert/strict";
import { CONTRASTIVE_LOSSES, GENE_LOSSES } from "../../../src/losses/registry.ts";
import { GENE_MODEL_NAMES, geneModelEntry } from "../../../src/models/gene_registry.ts";
import { SEAL_CONFIG } from "../../../src/methods/seal/config.ts";
import { stageRates } from "../../../src/methods/seal/rates.ts";
import { pixelInput } from "../../../src/train/row_input.ts";
import { warmupModel } from "../../../src/methods/seal/warmup.ts";
import { Step } from "../../../src/train/step.ts";
import { openGpu } from "../../gpu/shared.ts";
import {
  batchOf,
  buildCase,
  compileAlign,
  deviations,
  expression,
  GENES,
  type Overrides,
} from "../../../src/methods/seal/proof/case.ts";
import { formulaImages, range } from "../../../src/verify/formula.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const BATCH = 6;
const STEPS = 3;

/** Losses of three steps on one batch, and the largest change of each parameter by its name. */
async function train(overrides: Overrides): Promise<{ losses: Record<string, number>[]; moved: Map<string, number> }> {
  const { config, model, optimizer, side, destroy } = buildCase(gpu, {
    img_lr: 1e-2,
    gene_lr: 1e-2,
    scheduler: "constant",
    ...overrides,
  });
  const { encoder, parameters } = model;
  const names = parameters.trainableEntries().map(([name]) => name);
  const before = await parameters.read(names);
  const step = await compileAlign(model, pixelInput(encoder, formulaImages(side), side), optimizer, {
    batch: BATCH,
    seed: 3,
    std: deviations(),
    micro: config.optim.micro_batch ?? undefined,
  });
  const rates = stageRates(config, "align", STEPS);
  for (let t = 0; t < STEPS; t++) await step.submit(rates(t), () => batchOf(range(BATCH)));
  const losses = await step.readMetrics();
  const after = await parameters.read(names);
  const moved = new Map(names.map((name) => {
    const [a, b] = [before.get(name)!, after.get(name)!];
    return [name, a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)];
  }));
  step.destroy();
  destroy();
  return { losses, moved };
}

interface Option {
  readonly name: string;
  readonly set: Overrides;
  /** Parameters that must move, beside the encoder's. */
  readonly moves?: RegExp;
  /** Metrics that must be there. */
  readonly has?: readonly string[];
  /** Parameters that must not be there at all. */
  readonly without?: RegExp;
}

/** CCA wants more pairs than columns. */
const NARROW = { encoder: "random:vit_small_patch16_224?dim=4&depth=2&heads=1&img=32" };

const OPTIONS: readonly Option[] = [
  ...Object.keys(CONTRASTIVE_LOSSES).map((name) => ({
    name: `contrast ${name}`,
    set: { contrast_method: name, ...(name === "cca" && NARROW) },
  })),
  ...Object.keys(GENE_LOSSES).flatMap((name) =>
    ["log_norm", "none"].map((norm) => ({
      name: `gene loss ${name} with gene_norm ${norm}`,
      set: { gene_loss: name, gene_norm: norm },
    }))
  ),
  {
    name: "a sampled latent, divergence, mask and dropouts",
    set: {
      latent: "sample",
      kl_loss: true,
      kl_form: "exact",
      mask_ratio: 0.2,
      vae_dropout: 0.1,
      dec_dropout: 0.1,
      lora_dropout: 0.15,
      dec_batch_norm: true,
      flow_constraint: true,
    },
    moves: /^gene\.flows\.0\.u$/,
    has: ["loss_kl_flow", "loss_mlm"],
  },
  { name: "several draws of the latent", set: { latent: "mc", latent_samples: 3, kl_loss: true }, has: ["loss_kl"] },
  { name: "no flows", set: { vae_flows: 0 }, without: /flows/ },
  { name: "the hidden layers of mlp", set: { gene_model: "mlp" }, moves: /^gene\.projection\.0\.weight$/ },
  {
    name: "gene model mae with more masked",
    set: { gene_model: "mae", mask_ratio: 0.4 },
    moves: /^gene\.projection\.0\.weight$/,
  },
  {
    name: "gene model transformer with gene embeddings",
    set: { gene_model: "transformer", gene_embeddings: true },
    moves: /^gene\.gene_identity\.weight$/,
  },
  ...GENE_MODEL_NAMES.map((name) => ({
    name: `gene model ${name} with its defaults`,
    set: { gene_model: name, ...(geneModelEntry(name).fixed && { lambda_contrast: 0, lambda_recon_gene: 0 }) },
  })),
  { name: "linear heads", set: { projection_head: "linear" }, moves: /^(gene\.)?projection_head\.weight$/ },
  { name: "heads with a hidden layer", set: { projection_head: "mlp2" }, moves: /^gene\.projection_head\.0\.weight$/ },
  { name: "organ token", set: { organ_token: true }, moves: /organ_emb/ },
  { name: "bottleneck", set: { use_adapter: true, adapter_bottleneck: 8 }, moves: /^adapter/ },
  { name: "bottleneck twice", set: { use_adapter: true, adapter_compat_double: true }, moves: /^adapter/ },
  {
    name: "discriminator of slides",
    set: { lambda_da: 0.1 },
    moves: /_decoder|out_layer/,
    has: ["loss_da"],
  },
  { name: "cca beside the contrastive loss", set: { lambda_cca: 0.1, ...NARROW }, has: ["loss_cca"] },
  { name: "a temperature that trains", set: { trainable_temperature: true }, moves: /logit_scale/ },
  { name: "frozen gene model", set: { two_stage_training: true, warmup_epochs: 1 } },
  { name: "no contrastive loss", set: { lambda_contrast: 0 } },
  { name: "no image decoder", set: { lambda_recon_img: 0 }, without: /^decoder/ },
  { name: "no gene reconstruction", set: { lambda_recon_gene: 0 } },
  {
    name: "the last block unfrozen",
    set: { use_lora: false },
    without: /lora/,
    moves: /^blocks\.1\.attn\.qkv\.weight$/,
  },
  {
    name: "all blocks unfrozen",
    set: { use_lora: false, partial_blocks: -1, cache: "off" },
    moves: /^patch_embed\.proj\.weight$/,
  },
  { name: "LoRA on all blocks", set: { partial_blocks: -1 }, moves: /^blocks\.0\.attn\.qkv\.lora_B\.weight$/ },
  { name: "a linear probe", set: { model: "linprobe" }, without: /lora/ },
  { name: "clipped gradients", set: { clip_norm: 0.1 } },
  { name: "micro-batches of one", set: { batch_size: BATCH, micro_batch: 1, organ_token: true, lambda_da: 0.1 } },
];

for (const { name, set, moves, has = [], without } of OPTIONS) {
  Deno.test(`three steps train: ${name}`, async () => {
    const { losses, moved } = await train(set);
    assert.equal(losses.length, STEPS);
    for (const row of losses) {
      for (const [key, value] of Object.entries(row)) assert.ok(Number.isFinite(value), `${key} is ${value}`);
    }
    for (const key of has) assert.ok(losses[0]![key] !== undefined, `${key} is measured`);
    assert.notEqual(losses[0]!.loss, losses[STEPS - 1]!.loss);
    for (const [parameter, change] of moved) {
      assert.ok(Number.isFinite(change), `${parameter} is finite`);
      assert.ok(!without?.test(parameter), `${parameter} is not wanted`);
    }
    const image = [...moved].filter(([parameter]) => /lora_B/.test(parameter));
    assert.ok(image.every(([, change]) => change > 0), "the encoder's updates move");
    if (moves) {
      const wanted = [...moved].filter(([parameter]) => moves.test(parameter));
      assert.ok(wanted.length > 0, `${moves} is trained`);
      for (const [parameter, change] of wanted) assert.ok(change > 0, `${parameter} moves`);
    }
    if (set.two_stage_training) {
      for (const [parameter, change] of moved) if (parameter.startsWith("gene.")) assert.equal(change, 0, parameter);
    }
  });
}

Deno.test("the warm-up trains the gene model and nothing else, with every noise", async () => {
  for (const set of [{}, { warmup_noise: 0.2 }, { warmup_noise: 0.3, noise_method: "gaussian", denoise: true }]) {
    const { config, model, optimizer, destroy } = buildCase(gpu, { warmup_epochs: 1, latent: "sample", ...set });
    const names = model.parameters.trainableEntries().map(([name]) => name);
    const before = await model.parameters.read(names);
    const warmup = await Step.compile(
      warmupModel(model, config, { batch: BATCH, std: deviations() }),
      optimizer,
      { batch: BATCH, seed: config.optim.seed },
    );
    const rates = stageRates(config, "warmup", STEPS);
    for (let t = 0; t < STEPS; t++) {
      await warmup.submit(rates(t), () => ({ fields: { x: expression(range(BATCH)) } }));
    }
    const losses = await warmup.readMetrics();
    assert.ok(losses.every(({ loss }) => Number.isFinite(loss)));
    const after = await model.parameters.read(names);
    for (const name of names) {
      const same = before.get(name)!.every((value, i) => value === after.get(name)![i]);
      // A bias before batch normalisation has no gradient.
      const still = ["gene.encoder.0.bias", "gene.encoder.4.bias"].includes(name);
      assert.equal(same, !name.startsWith("gene.") || still, name);
    }
    warmup.destroy();
    destroy();
  }
});

/** Parameters that must not move, and under which options they would on rounding noise. */
const STILL: readonly { readonly set: Overrides; readonly names: readonly string[] }[] = [
  { set: {}, names: ["gene.encoder.0.bias", "gene.encoder.4.bias"] },
  { set: { gene_model: "mlp" }, names: ["gene.projection.0.bias", "gene.projection.4.bias"] },
  { set: { dec_batch_norm: true }, names: ["decoder.decoder.0.bias"] },
  {
    set: { gene_loss: "barlow_soft", final_activation: "none" },
    names: ["gene.decoder.5.bias", "decoder.decoder.3.bias"],
  },
  ...[null, 4].map((micro_batch) => ({
    set: {
      contrast_method: "barlow",
      l2_norm: false,
      lambda_recon_img: 0,
      projection_head: "linear",
      use_lora: false,
      batch_size: BATCH,
      ...(micro_batch && { micro_batch }),
    },
    names: ["projection_head.bias", "gene.projection_head.bias", "norm.bias"],
  })),
];

for (const { set, names } of STILL) {
  Deno.test(`biases whose gradient is 0 stay where they are: ${JSON.stringify(set)}`, async () => {
    const { moved } = await train(set);
    for (const name of names) assert.equal(moved.get(name), 0, name);
    const { moved: walked } = await train({ ...set, exact_zeros: false });
    for (const name of names) assert.ok(walked.get(name)! > 0, `${name} walks on rounding noise`);
    const others = [...moved].filter(([name]) => name.endsWith("bias") && !names.includes(name));
    assert.ok(others.some(([, change]) => change > 0), "other biases move");
  });
}

Deno.test("the bias of keys stays where it is, those of queries and values move", async () => {
  const keys = async (set: Overrides) => {
    const seal = buildCase(gpu, { use_lora: false, img_lr: 1e-2, ...set });
    const { model, optimizer, side } = seal;
    const step = await compileAlign(model, pixelInput(model.encoder, formulaImages(side), side), optimizer, {
      batch: BATCH,
      seed: 3,
      std: deviations(),
    });
    for (let t = 0; t < STEPS; t++) await step.submit({ img: 1e-2, gene: 0, head: 0 }, () => batchOf(range(BATCH)));
    const bias = (await model.parameters.read(["blocks.1.attn.qkv.bias"])).get("blocks.1.attn.qkv.bias")!;
    step.destroy();
    seal.destroy();
    const D = bias.length / 3;
    return [0, 1, 2].map((part) => bias.slice(part * D, (part + 1) * D).filter((value) => value !== 0).length);
  };
  assert.deepEqual(await keys({}), [32, 0, 32]);
  assert.ok((await keys({ exact_zeros: false }))[1]! > 0);
});

for (const [norm, wanted] of [["none", 3.1724257], ["log_norm", 5.1225434]] as const) {
  Deno.test(`with gene_norm ${norm} the negative binomial sees what the values are`, async () => {
    const genes = 7;
    const { model, optimizer, side, destroy } = buildCase(gpu, {
      gene_loss: "negbin",
      gene_norm: norm,
      gene_model: "identity",
      lambda_contrast: 0,
    }, { genes });
    const step = await compileAlign(model, pixelInput(model.encoder, formulaImages(side), side), optimizer, {
      batch: 2,
      seed: 3,
      std: deviations(genes),
    });
    const x = Float32Array.from({ length: 2 * genes }, (_, i) => i % genes);
    await step.submit({ img: 0, gene: 0, head: 0 }, () => ({ ...batchOf([0, 1], genes), fields: { x } }));
    const [{ loss_recon_gene: found } = {}] = await step.readMetrics();
    assert.ok(Math.abs(found! / wanted - 1) < 1e-5, `${found}, wanted ${wanted}`);
    step.destroy();
    destroy();
  });
}

Deno.test("a batch of one, no weight at all and sides of two widths are refused by name", () => {
  const refused = (pattern: RegExp, set: Overrides) => {
    assert.throws(
      () => {
        SEAL_CONFIG.read([], Object.entries(set).map(([key, value]): [string, string] => [key, String(value)]));
        buildCase(gpu, set).destroy();
      },
      (error: Error & { exitCode?: number }) => pattern.test(error.message) && error.exitCode === 2,
    );
  };
  refused(/batch_size/, { batch_size: 1 });
  refused(/lambda_contrast, lambda_recon_img and lambda_cca are 0/, {
    lambda_contrast: 0,
    lambda_recon_gene: 0,
    lambda_recon_img: 0,
  });
  assert.notEqual(GENES, 32);
  refused(/embeds 12 features, the encoder 32/, { gene_model: "identity" });
  refused(/adapt 3 blocks/, { partial_blocks: 3 });
});
