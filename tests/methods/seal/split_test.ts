/** No split of a batch, kernel path or number of workers changes a run: the same losses up to rounding. @seconds 20 */

import assert from "node:assert/strict";
import { createExample } from "../../train/example.ts";
import { stageRates } from "../../../src/methods/seal/rates.ts";
import { StemCache } from "../../../src/train/stem_cache.ts";
import { DeviceStemStore } from "../../../src/train/stem_store.ts";
import { cachedInput, pixelInput, type RowInput } from "../../../src/train/row_input.ts";
import { openGpu } from "../../gpu/shared.ts";
import {
  batchOf,
  buildCase,
  compileAlign,
  deviations,
  type Overrides,
  type SealCase,
} from "../../../src/methods/seal/proof/case.ts";
import { formulaImages, range } from "../../../src/verify/formula.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const [BATCH, PAIRS, STEPS] = [64, 192, 20];
/** Everything that draws, and everything that looks at several rows. */
const DRAWS: Overrides = {
  lora_dropout: 0.15,
  latent: "sample",
  vae_dropout: 0.1,
  dec_dropout: 0.1,
  mask_ratio: 0.1,
  dec_batch_norm: true,
  organ_token: true,
  lambda_da: 0.1,
  img_lr: 1e-3,
  gene_lr: 1e-3,
};

type Losses = Record<string, number>[];

async function train(set: Overrides, { micro, flat, recompute, visionOf, steps = STEPS }: {
  micro?: number;
  flat?: boolean;
  recompute?: readonly boolean[];
  visionOf?: (seal: SealCase) => Promise<RowInput>;
  steps?: number;
} = {}): Promise<Losses> {
  const seal = buildCase(flat === undefined ? gpu : gpu.withCaps({ flat }), set);
  const { config, model, optimizer, side } = seal;
  const vision = await visionOf?.(seal) ?? pixelInput(model.encoder, formulaImages(side), side);
  const step = await compileAlign(model, vision, optimizer, {
    batch: BATCH,
    micro,
    ...(recompute && { recompute }),
    seed: 5,
    std: deviations(),
  });
  assert.equal(step.micro, Math.min(BATCH, micro ?? BATCH));
  const rates = stageRates(config, "align", steps);
  for (let t = 0; t < steps; t++) {
    await step.submit(rates(t), () => batchOf(range(BATCH).map((i) => (i * 5 + t * BATCH) % PAIRS)));
  }
  const losses = await step.readMetrics();
  step.destroy();
  seal.destroy();
  return losses;
}

/** Largest difference between two runs, each loss relative to itself. */
function apart(a: Losses, b: Losses): number {
  assert.equal(a.length, b.length);
  let most = 0;
  a.forEach((row, t) => {
    for (const [name, value] of Object.entries(row)) {
      assert.ok(Number.isFinite(value), name);
      most = Math.max(most, Math.abs(value - b[t]![name]!) / Math.max(1, Math.abs(value)));
    }
  });
  return most;
}

const known = new Map<string, Promise<Losses>>();

/** A run of the whole batch, made once. */
function whole(set: Overrides): Promise<Losses> {
  const key = JSON.stringify(set);
  const run = known.get(key) ?? train(set);
  known.set(key, run);
  return run;
}

/** As `train` has them by default, and everything at once. */
const SETS: Record<string, Overrides> = {
  "dropout and a drawn latent": { lora_dropout: 0.15, latent: "sample" },
  "everything that draws": DRAWS,
  "the mean of several draws, masked": {
    gene_model: "vae",
    latent: "mc",
    latent_samples: 3,
    mask_ratio: 0.2,
    kl_loss: true,
  },
  "every token of two blocks": {
    ...DRAWS,
    encoder: "random:virchow2?dim=32&depth=2&heads=2&img=28&patch=14",
    partial_blocks: 2,
  },
};

for (const [name, set] of Object.entries(SETS)) {
  for (const micro of name.startsWith("dropout") ? [1, 5, 64, 100] : [5]) {
    Deno.test(`${name}: micro_batch ${micro} gives the losses of the whole batch over ${STEPS} steps`, async () => {
      const off = apart(await whole(set), await train(set, { micro }));
      assert.ok(off < 1e-5, `losses differ by ${off}`);
    });
  }
}

Deno.test("blocks that are run again, and the cache of the frozen ones, draw the same numbers", async () => {
  const set = SETS["everything that draws"]!;
  const again = apart(await whole(set), await train(set, { micro: 16, recompute: [true, true] }));
  assert.ok(again < 1e-5, `recomputed: losses differ by ${again}`);
  const opened: { close(): void }[] = [];
  const cached = apart(
    await whole(set),
    await train(set, {
      micro: 7,
      async visionOf({ model: { encoder }, side }) {
        const cut = encoder.deepestCut()!;
        const store = new DeviceStemStore(gpu, { rows: PAIRS, shapes: encoder.cutShapes(cut), dtype: "f32" });
        const common = { cut, store, dtype: "f32", pairs: 64, tile: side, images: formulaImages(side) } as const;
        const stemCache = await StemCache.create(gpu, encoder, { ...common, batch: 11 });
        opened.push({ close: () => (stemCache.destroy(), store.close()) });
        return cachedInput(encoder, cut, stemCache, "f32");
      },
    }),
  );
  for (const one of opened) one.close();
  assert.ok(cached < 1e-5, `cached: losses differ by ${cached}`);
});

Deno.test("a supervised step in micro-batches draws what the whole batch draws", async () => {
  const losses = async (accumulate: number): Promise<Losses> => {
    const lora = (name: string) => (/attn|mlp/.test(name) ? { rank: 4, alpha: 8, dropout: 0.3 } : undefined);
    const example = await createExample(gpu, { seed: 3, lora, accumulate, steps: 6 });
    const { parameters } = example;
    for (const [name, tensor] of parameters.trainableEntries()) {
      if (!name.endsWith("lora_B.weight")) continue;
      parameters.store.write(tensor, Float32Array.from({ length: tensor.size }, (_, i) => Math.sin(i) / 8));
    }
    for (let t = 0; t < 6; t++) await example.submit(t);
    const found = await example.step.readMetrics();
    example.destroy();
    return found;
  };
  const one = await losses(1);
  for (const accumulate of [2, 4]) {
    const off = apart(one, await losses(accumulate));
    assert.ok(off < 1e-5, `in ${accumulate}: losses differ by ${off}`);
  }
});

Deno.test("what is drawn matters: without it the losses are others", async () => {
  const off = apart(await whole(SETS["dropout and a drawn latent"]!), await train({ latent: "sample" }));
  assert.ok(off > 1e-3, `losses differ by ${off}`);
});

Deno.test("both kernel paths give the same losses", async () => {
  const [flat, gpuPath] = [await train(DRAWS, { flat: true }), await train(DRAWS, { flat: false, micro: 16 })];
  const off = apart(flat, gpuPath);
  assert.ok(off < 1e-5, `losses differ by ${off}`);
});
