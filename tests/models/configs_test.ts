/** Configurations that change numbers, next to transformers' and timm's own pipelines: fixtures of `tests/python/configs.py`. */

import assert from "node:assert/strict";
import { openEncoder } from "../../src/run/encoder.ts";
import { DataError, FormatError, WeightsError } from "../../src/core/errors.ts";
import { Embedder } from "../../src/embed/embedder.ts";
import { openFile } from "../../src/io/fs.ts";
import { openWeights } from "../../src/io/torch/weights.ts";
import { archHints, type ConfigFacts, readEncoderConfig, specOfWeights } from "../../src/models/encoder_config.ts";
import { mapStateDict } from "../../src/models/families/keymap.ts";
import { loadEncoder } from "../../src/models/load.ts";
import { openGpu } from "../gpu/shared.ts";
import { distance } from "./distance.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());
const ROOT = new URL("../fixtures/configs/", import.meta.url).pathname;
const names = [...Deno.readDirSync(ROOT)].map(({ name }) => name).sort();

function json(path: string): Record<string, unknown> {
  return JSON.parse(Deno.readTextFileSync(`${ROOT}${path}`));
}

for (const name of names) {
  Deno.test(`${name}: features are those of the library's own pipeline`, async () => {
    const opened = await openEncoder(gpu, { encoder: `${ROOT}${name}` });
    const embedder = new Embedder(gpu, opened.encoder, { batchSize: 2 });
    const expected = await openWeights(await openFile(`${ROOT}${name}/expected.safetensors`));
    for (const tile of ["square", "wide"]) {
      const pixels = expected.tensors.get(tile);
      if (!pixels) continue;
      const [rows, height, width] = pixels.shape as unknown as [number, number, number];
      await embedder.submit(await pixels.read(), height, width);
      const got = await embedder.flush();
      const { relative } = distance(got, await expected.tensors.get(`${tile}/embedding`)!.readF32(), rows);
      assert.ok(relative <= 1e-5, `${tile}: ${relative} of the rms`);
      const fast = await expected.tensors.get(`${tile}/fast`)?.readF32();
      if (fast) assert.ok(distance(got, fast, rows).cosine >= 1 - 1e-5, `${tile}, resized by torchvision`);
    }
    if (!expected.tensors.has("wide")) {
      await assert.rejects(embedder.submit(new Uint8Array(2 * 40 * 53 * 3), 40, 53), DataError);
    }
    embedder.destroy();
    opened.encoder.parameters.destroy();
    expected.close();
  });
}

async function keymapOf(name: string, facts: ConfigFacts) {
  const weights = await openWeights(await openFile(`${ROOT}${name}/model.safetensors`));
  const shapes = new Map([...weights.tensors].map(([tensor, { shape }]) => [tensor, shape]));
  weights.close();
  const hints = archHints([facts]);
  return mapStateDict(shapes, { ...(hints.usualHeads === undefined && { heads: 3 }), ...hints, file: name });
}

Deno.test("what configurations leave open is assumed and told, and nothing else is", async () => {
  const assumed = async (name: string, facts: ConfigFacts) =>
    specOfWeights(name, await keymapOf(name, facts), facts).assumed!;
  for (const name of names) {
    const preprocessor = name.startsWith("timm") ? undefined : json(`${name}/preprocessor_config.json`);
    assert.deepEqual(await assumed(name, readEncoderConfig(json(`${name}/config.json`), preprocessor)), [], name);
  }
  const bare = (await assumed("vit_squash", readEncoderConfig(json("vit_squash/config.json")))).join("\n");
  for (const what of [/mean and standard deviation are ImageNet's/, /input is 32 px/, /resized to 32 px/, /bicubic/]) {
    assert.match(bare, what);
  }
  const nothing = (await assumed("timm_geglu", {})).join("\n");
  for (const what of [/3 attention heads/, /eps .* 0\.000001/, /class token/, /gated by SiLU.*act_layer/]) {
    assert.match(nothing, what);
  }
  const odd = readEncoderConfig({ ...json("vit_squash/config.json"), model_type: "vit_mae" }, {
    ...json("vit_squash/preprocessor_config.json"),
    image_processor_type: "MyImageProcessor",
  });
  assert.match((await assumed("vit_squash", odd)).join("\n"), /model_type vit_mae [^]*MyImageProcessor/);
  const unknown = json("timm_avg/config.json");
  unknown["model_args"] = { ...unknown["model_args"] as object, new_trick: 3 };
  assert.match((await assumed("timm_avg", readEncoderConfig(unknown))).join("\n"), /model_args\.new_trick/);
});

Deno.test("configurations that ask for another computation are refused by key and value", () => {
  const timm = (change: Record<string, unknown>, data: Record<string, unknown> = {}) => {
    const config = json("timm_avg/config.json");
    const args = { ...config["model_args"] as object, ...change };
    return readEncoderConfig({
      ...config,
      model_args: args,
      pretrained_cfg: { ...config["pretrained_cfg"] as object, ...data },
    });
  };
  const model = (change: Record<string, unknown>) =>
    readEncoderConfig({ ...json("vit_squash/config.json"), ...change });
  const tiles = (change: Record<string, unknown>) =>
    readEncoderConfig(json("dinov2_bit/config.json"), { ...json("dinov2_bit/preprocessor_config.json"), ...change });
  const refused: [() => ConfigFacts, RegExp][] = [
    [() => timm({ global_pool: "max" }), /model_args\.global_pool is "max"/],
    [() => timm({ global_pool: "map" }), /global_pool is "map"/],
    [() => timm({ act_layer: "gelu_tanh" }), /act_layer is "gelu_tanh"/],
    [() => timm({ mlp_layer: "GluMlp" }), /mlp_layer is "GluMlp"/],
    [() => timm({ pool_include_prefix: true }), /pool_include_prefix is true/],
    [() => timm({ norm_layer: "rmsnorm" }), /norm_layer is "rmsnorm"/],
    [() => timm({ class_token: false }), /class_token is false/],
    [() => timm({ qk_norm: true }), /qk_norm is true/],
    [() => timm({}, { interpolation: "lanczos" }), /interpolation is "lanczos"/],
    [() => timm({}, { crop_mode: "random" }), /crop_mode is "random"/],
    [() => timm({}, { input_size: [3, 32, 48] }), /input_size is \[3,32,48\], wanted three channels and a square/],
    [() => timm({}, { input_size: [4, 32, 32] }), /input_size/],
    [() => model({ hidden_act: "quick_gelu" }), /hidden_act is "quick_gelu", wanted "gelu"/],
    [() => model({ image_size: [32, 48] }), /image_size is \[32,48\]/],
    [() => model({ num_channels: 4 }), /num_channels is 4/],
    [() => model({ head_dim: 32 }), /head_dim is 32/],
    [() => tiles({ resample: 1 }), /resample is 1, wanted 2 \(bilinear\) or 3/],
    [() => tiles({ size: { height: 32, width: 48 } }), /size is \{"height":32,"width":48\}, wanted a square/],
    [() => tiles({ size: { shortest_edge: 32, longest_edge: 64 } }), /size\.longest_edge is 64/],
    [() => tiles({ do_pad: true }), /do_pad is true/],
    [() => tiles({ do_flip_channel_order: true }), /do_flip_channel_order/],
    [() => tiles({ crop_pct: 0.9 }), /crop_pct is 0\.9/],
    [
      () => tiles({ image_processor_type: "ConvNextImageProcessor" }),
      /image_processor_type is "ConvNextImageProcessor"/,
    ],
  ];
  for (const [read, message] of refused) {
    assert.throws(read, (error: unknown) => {
      assert.ok(error instanceof WeightsError, String(error));
      assert.equal(error.code, "weights-unsupported");
      assert.match(error.message, message);
      return true;
    });
  }
  const wrong: [() => ConfigFacts, RegExp][] = [
    [() => readEncoderConfig([]), /config\.json: it is \[\], wanted an object/],
    [() => model({ num_attention_heads: "12" }), /num_attention_heads is "12", wanted a whole number/],
    [() => model({ layer_norm_eps: -1 }), /layer_norm_eps is -1/],
    [() => timm({}, { mean: [0.5, 0.5] }), /pretrained_cfg\.mean is \[0\.5,0\.5\], wanted three numbers/],
    [() => timm({}, { crop_pct: 0 }), /crop_pct is 0/],
    [() => timm({}, { input_size: "224" }), /input_size is "224"/],
    [() => tiles({ image_std: [0.2, 0, 0.2] }), /image_std is \[0\.2,0,0\.2\], wanted numbers above 0/],
    [() => tiles({ size: {} }), /size is \{\}, wanted height and width/],
    [() => tiles({ do_resize: "yes" }), /do_resize is "yes", wanted true or false/],
    [() => tiles({ rescale_factor: 0 }), /rescale_factor is 0/],
  ];
  for (const [read, message] of wrong) {
    assert.throws(read, (error: unknown) => {
      assert.ok(error instanceof FormatError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("loadEncoder() takes mean and std of config.json, and says when it is given the file itself", async () => {
  const weights = await openWeights(await openFile(`${ROOT}timm_avg/model.safetensors`));
  const config = json("timm_avg/config.json");
  const encoder = await loadEncoder(gpu, weights, { facts: [readEncoderConfig(config)] });
  const { mean, std } = config["pretrained_cfg"] as { mean: number[]; std: number[] };
  assert.deepEqual([encoder.spec.input.mean, encoder.spec.input.std], [mean, std]);
  assert.deepEqual([encoder.vit.config.mean, encoder.vit.config.std], [mean, std]);
  assert.equal(encoder.pooling, "mean");
  encoder.parameters.destroy();
  await assert.rejects(
    loadEncoder(gpu, weights, { facts: [config as ConfigFacts] }),
    /readEncoderConfig|configuration file/,
  );
  // One statistic alone counts too, also of a known encoder.
  const half = await loadEncoder(gpu, weights, {
    facts: [readEncoderConfig(config), { input: { mean: [0.1, 0.2, 0.3] } }],
  });
  assert.deepEqual([half.spec.input.mean, half.spec.input.std], [[0.1, 0.2, 0.3], std]);
  half.parameters.destroy();
  weights.close();
});
