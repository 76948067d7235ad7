/** Every encoder against the original implementation, tap by tap: fixtures of `tests/python/encoders.py`. */

import assert from "node:assert/strict";
import type { Dtype } from "../../src/core/dtype.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { openFile, openFolder } from "../../src/io/fs.ts";
import { readAdapter } from "../../src/io/torch/peft.ts";
import { openWeights, type Weights } from "../../src/io/torch/weights.ts";
import { type ConfigFacts, readEncoderConfig } from "../../src/models/encoder_config.ts";
import type { Pooling } from "../../src/models/encoder_spec.ts";
import { OFFSET } from "../../src/models/families/names.ts";
import { loadEncoder, type LoadOptions } from "../../src/models/load.ts";
import { kernelPaths, openGpu } from "../gpu/shared.ts";
import { type Distance, distance } from "./distance.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());
const ROOT = new URL("../fixtures/encoders/", import.meta.url).pathname;

interface Meta {
  weights: string;
  pooling: string;
  tolerance: number;
  sizes: { image: number; heads: number; eps: number };
  preprocess: { mean: [number, number, number]; std: [number, number, number] };
  cases: Record<string, { height: number; width: number; rule: string }>;
}

interface Fixture {
  name: string;
  meta: Meta;
  facts: ConfigFacts[];
  expected: Weights;
}

async function openFixture(name: string): Promise<Fixture> {
  const folder = `${ROOT}${name}/`;
  const meta = JSON.parse(Deno.readTextFileSync(`${folder}meta.json`)) as Meta;
  const { heads, eps, image } = meta.sizes;
  const facts: ConfigFacts[] = [];
  try {
    facts.push(readEncoderConfig(JSON.parse(Deno.readTextFileSync(`${folder}config.json`))));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    // The hub gives CONCH and raw DINOv2 no configuration: a spec does. The fixtures are smaller than any spec.
    facts.push({ heads, eps, imageSize: image });
  }
  const { mean, std } = meta.preprocess;
  facts.push({ input: { mean, std, size: image } });
  return { name, meta, facts, expected: await openWeights(await openFile(`${folder}expected.safetensors`)) };
}

const POOLING: Readonly<Record<string, Pooling>> = { cls: "cls", "cls+mean": "cls+mean", attention: "attn_pool" };

interface Case {
  on?: Gpu;
  prefix?: string;
  dtype?: Dtype;
  taps?: readonly string[];
  options?: LoadOptions;
}

/** Loads the fixture's weights, runs its tiles and compares each tap. */
async function compare(fixture: Fixture, { on = gpu, prefix = "", dtype, taps = [], options = {} }: Case) {
  const { name, meta, facts, expected } = fixture;
  // A case without tiles of its own is another position table for those of the main case.
  const inputs = expected.tensors.get(`${prefix}inputs`) ?? expected.tensors.get("inputs")!;
  const [B, H, W] = inputs.shape as unknown as [number, number, number];
  const weights = await openWeights(await openFile(`${ROOT}${name}/${meta.weights}`));
  const table = expected.tensors.get(`${prefix}trunk.pos_embed`);
  const opened = table ? { ...weights, tensors: new Map([...weights.tensors, ["trunk.pos_embed", table]]) } : weights;
  const encoder = await loadEncoder(on, opened, {
    name,
    facts,
    imageSize: [H, W],
    pooling: POOLING[meta.pooling]!,
    ...(dtype && { dtype }),
    ...options,
  });
  weights.close();
  const images = encoder.parameters.store.tensor("input", "images", [B, H, W, 3], "u8");
  encoder.parameters.store.write(images, await inputs.read());
  const g = new Plan(on);
  const { embedding, taps: made } = encoder.forward(g, images);
  const last = `block_${String(encoder.vit.config.depth - 1).padStart(2, "0")}`;
  const tensors = taps.map((tap) => ({ tap, tensor: made[{ patch_embed: "embed", block_last: last }[tap] ?? tap]! }));
  g.output(embedding, ...tensors.map(({ tensor }) => tensor));
  const program = await g.compile();
  program.run();
  const [got, ...rest] = await readback(on, embedding, ...tensors.map(({ tensor }) => tensor));
  const results: [string, Distance][] = [];
  for (const [i, { tap }] of tensors.entries()) {
    const wanted = await expected.tensors.get(`${prefix}tap/${tap}`)!.readF32();
    // With one token needed, the last block makes only the first of each image.
    const width = wanted.length / B;
    const made = rest[i]!;
    const part = made.length / B;
    const cut = Float32Array.from(
      { length: made.length },
      (_, j) => wanted[Math.floor(j / part) * width + (j % part)]!,
    );
    results.push([tap, distance(made, cut, B)]);
  }
  results.push(["embedding", distance(got!, await expected.tensors.get(`${prefix}embedding`)!.readF32(), B)]);
  program.destroy();
  encoder.parameters.destroy();
  return results;
}

/** Taps a case has, of those the engine names. */
function expectedTaps({ expected }: Fixture, prefix: string): string[] {
  return TAPS.filter((tap) => expected.tensors.has(`${prefix}tap/${tap}`));
}

const names = [...Deno.readDirSync(ROOT)].filter((entry) => entry.isDirectory && entry.name !== "musk").map((entry) =>
  entry.name
).sort();
const TAPS = ["patch_embed", "block_00", "block_last", "norm"] as const;

for (const name of names) {
  Deno.test(`${name} gives the original's tokens and embedding`, async () => {
    const fixture = await openFixture(name);
    const options: LoadOptions = name === "lora_uni"
      ? { adapter: await readAdapter(openFolder(`${ROOT}${name}/adapter`)) }
      : {};
    for (const { path, on } of kernelPaths(gpu)) {
      for (const [tap, { cosine, relative }] of await compare(fixture, { on, taps: TAPS, options })) {
        assert.ok(
          cosine >= 0.999999 && relative <= 1e-4,
          `${path}, ${tap}: cosine ${cosine}, difference ${relative} rms`,
        );
      }
    }
    for (const [prefix, { rule }] of Object.entries(fixture.meta.cases)) {
      // What no file says: old versions of transformers used DINOv2's offset; CONCH v1.5 first goes to the grid it was built with.
      const built = /^bilinear plain to (\d+)/.exec(rule);
      const asked = built
        ? { ...OFFSET, firstGrid: Number(built[1]) }
        : name === "phikon_v2" && rule.includes("I4")
        ? OFFSET
        : undefined;
      const positions = asked ? { positions: asked } : {};
      const results = await compare(fixture, {
        prefix: `${prefix}/`,
        taps: expectedTaps(fixture, `${prefix}/`),
        options: { ...options, ...positions },
      });
      for (const [tap, { cosine, relative }] of results) {
        assert.ok(
          cosine >= 0.999999 && relative <= 1e-4,
          `${prefix} ${tap}: cosine ${cosine}, difference ${relative} rms`,
        );
      }
    }
  });

  Deno.test(`${name} keeps its embedding with weights stored as f16 and bf16`, async () => {
    const fixture = await openFixture(name);
    const options: LoadOptions = name === "lora_uni"
      ? { adapter: await readAdapter(openFolder(`${ROOT}${name}/adapter`)) }
      : {};
    for (const [dtype, least] of [["f16", 0.9999], ["bf16", 0.999]] as const) {
      for (const { path, on } of kernelPaths(gpu)) {
        const [[, { cosine }]] = await compare(fixture, { on, dtype, options }) as [[string, Distance]];
        assert.ok(cosine >= least, `${path}, ${dtype}: cosine ${cosine}`);
      }
    }
  });
}

Deno.test("an adapter merged into the base gives the embedding of the adapter kept apart", async () => {
  const fixture = await openFixture("lora_uni");
  const adapter = await readAdapter(openFolder(`${ROOT}lora_uni/adapter`));
  const [[, merged]] = await compare(fixture, { options: { adapter, merge: true } }) as [[string, Distance]];
  assert.ok(merged.relative <= 1e-4, String(merged.relative));
  const bare = await compare({ ...fixture, name: "lora_uni" }, {});
  assert.ok(bare[0]![1].relative > 1e-2, "without the adapter the embedding differs");
});

Deno.test("MUSK is refused by name", async () => {
  const weights = await openWeights(await openFile(`${ROOT}musk/model.safetensors`));
  await assert.rejects(loadEncoder(gpu, weights), /MUSK/);
  weights.close();
});
