/** State dicts of every family: fixtures of the originals, wrappers of training code, and what is refused. */

import assert from "node:assert/strict";
import { WeightsError } from "../../src/core/errors.ts";
import type { Shape } from "../../src/core/shape.ts";
import { openFile } from "../../src/io/fs.ts";
import { openWeights, type Weights } from "../../src/io/torch/weights.ts";
import { type ConfigFacts, readEncoderConfig, specOfWeights } from "../../src/models/encoder_config.ts";
import { index } from "../../src/models/encoders/index.gen.ts";
import { type Keymap, type KeymapOptions, mapStateDict } from "../../src/models/families/keymap.ts";
import { layerOfModule, modulesOfLayer } from "../../src/models/families/modules.ts";
import { positionSteps, resamplePositionTable } from "../../src/models/positions.ts";
import { resamplePositionsRef } from "../ref/resample_positions.ts";

const ROOT = new URL("../fixtures/encoders/", import.meta.url).pathname;

interface Meta {
  family: string;
  weights: string;
  sizes: Record<string, number | string | boolean>;
  preprocess: { resize: number; crop: number; interpolation: string; mean: number[]; std: number[] };
  ignored: string[];
}

function json(path: string): unknown {
  return JSON.parse(Deno.readTextFileSync(path));
}

async function fixture(name: string): Promise<{ meta: Meta; weights: Weights; facts: ConfigFacts; config?: unknown }> {
  const meta = json(`${ROOT}${name}/meta.json`) as Meta;
  const weights = await openWeights(await openFile(`${ROOT}${name}/${meta.weights}`));
  try {
    const config = json(`${ROOT}${name}/config.json`);
    return { meta, weights, facts: readEncoderConfig(config), config };
  } catch {
    return { meta, weights, facts: { heads: meta.sizes.heads as number } };
  }
}

function shapesOf({ tensors }: Weights): Map<string, Shape> {
  return new Map([...tensors].map(([name, { shape }]) => [name, shape]));
}

function hints({ heads, eps, imageSize }: ConfigFacts): KeymapOptions {
  return { ...(heads && { heads }), ...(eps && { eps }), ...(imageSize && { imageSize }) };
}

async function mapped(name: string): Promise<{ keymap: Keymap; weights: Weights; meta: Meta; facts: ConfigFacts }> {
  const { weights, facts, meta } = await fixture(name);
  return { keymap: mapStateDict(shapesOf(weights), { file: name, ...hints(facts) }), weights, meta, facts };
}

/** Values of a parameter, put together as a loader does. */
async function values(keymap: Keymap, weights: Weights, target: string): Promise<number[]> {
  const { parts } = keymap.entries.find((entry) => entry.target === target)!;
  const pieces = parts.map(({ source, from, to }) => weights.tensors.get(source)!.readF32(from, to));
  return (await Promise.all(pieces)).flatMap((piece) => [...piece]);
}

/** Shapes of a small plain encoder under timm's names. */
function plainShapes(width = 64, depth = 2, registers = 0, rows = 5): Map<string, Shape> {
  const shapes: Record<string, number[]> = {
    "cls_token": [1, 1, width],
    "pos_embed": [1, rows, width],
    "patch_embed.proj.weight": [width, 3, 14, 14],
    "patch_embed.proj.bias": [width],
    "norm.weight": [width],
    "norm.bias": [width],
    ...(registers && { "reg_token": [1, registers, width] }),
  };
  for (let i = 0; i < depth; i++) {
    for (const norm of ["norm1", "norm2"]) {
      for (const part of ["weight", "bias"]) shapes[`blocks.${i}.${norm}.${part}`] = [width];
    }
    const linears = { "attn.qkv": [3, 1], "attn.proj": [1, 1], "mlp.fc1": [4, 1], "mlp.fc2": [1, 4] };
    for (const [name, [out, input]] of Object.entries(linears)) {
      shapes[`blocks.${i}.${name}.weight`] = [out! * width, input! * width];
      shapes[`blocks.${i}.${name}.bias`] = [out! * width];
    }
  }
  return new Map(Object.entries(shapes));
}

function renamed(shapes: ReadonlyMap<string, Shape>, change: (name: string) => string): Map<string, Shape> {
  return new Map([...shapes].map(([name, shape]) => [change(name), shape]));
}

const HEADS = { heads: 1 };

const folders = [...Deno.readDirSync(ROOT)].filter(({ isDirectory }) => isDirectory).map(({ name }) => name).sort();
for (const name of folders.filter((name) => name !== "musk")) {
  Deno.test(`${name}: family, sizes, input and ignored names are the original's`, async () => {
    const { keymap, weights, meta, facts } = await mapped(name);
    const { sizes } = meta;
    const { arch } = keymap;
    assert.equal(keymap.family, { conch_v1: "conch", hf_dinov2_reg: "hf_dinov2" }[meta.family] ?? meta.family);
    const prefix = { "patches": 0, "cls+patches": 1, "all": 1 + arch.registers }[sizes.positions as string] ??
      1 + arch.registers;
    assert.deepEqual(
      { ...arch, pooler: undefined, imageSize: undefined },
      {
        width: sizes.width,
        depth: sizes.depth,
        heads: sizes.heads,
        hidden: sizes.hidden,
        mlp: sizes.mlp,
        patch: sizes.patch,
        registers: sizes.registers,
        layerScale: sizes.layer_scale,
        eps: sizes.eps,
        grid: sizes.grid,
        prefixPositions: prefix,
        qkvBias: true,
        pooler: undefined,
        imageSize: undefined,
      },
    );
    const patterns = meta.ignored.map((glob) => new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", ".*")}$`));
    const used = new Set(keymap.entries.flatMap(({ parts }) => parts.map(({ source }) => source)));
    assert.equal(used.size + keymap.ignored.length, weights.tensors.size);
    const own = keymap.ignored.filter((name) => !name.endsWith("proj_contrast") && !/head/.test(name));
    assert.deepEqual(
      own.filter((name) => !patterns.some((pattern) => pattern.test(name.replace(/^.*\bbackbone\./, "")))),
      [],
    );
    // A configuration of timm's tells the preparation; others leave it to the preprocessor's file.
    const { input } = specOfWeights(name, keymap, facts);
    if (facts.input?.mean) {
      const { crop, mean, std, resize, interpolation } = meta.preprocess;
      assert.deepEqual([input.mean, input.std], [mean, std]);
      // Kaiko is used below its own size; GigaPath's and H-optimus' authors prepare otherwise than their files say.
      if (!["kaiko_l14", "gigapath", "hoptimus"].includes(name)) {
        assert.deepEqual([input.size, input.resize, input.interpolation], [crop, resize, interpolation]);
      }
    }
    weights.close();
  });
}

Deno.test("MUSK is refused by what it is", async () => {
  const { weights } = await fixture("musk");
  assert.throws(() => mapStateDict(shapesOf(weights)), { name: "WeightsError", code: "weights-unsupported" });
  weights.close();
});

Deno.test("separate q, k, v become rows of one layer, in this order", async () => {
  const { keymap, weights } = await mapped("phikon");
  const base = "encoder.layer.1.attention.attention";
  const wanted = await Promise.all(
    ["query", "key", "value"].map((part) => weights.tensors.get(`${base}.${part}.weight`)!.readF32()),
  );
  assert.deepEqual(await values(keymap, weights, "blocks.1.attn.qkv.weight"), wanted.flatMap((part) => [...part]));
  assert.equal(keymap.entries.find(({ target }) => target === "blocks.1.attn.qkv.weight")!.op, "concat");
  assert.ok(keymap.ignored.includes("pooler.dense.weight"));
  weights.close();
});

Deno.test("CONCH's packed biases are cut, its pooler is that of CONCH v1.5", async () => {
  const { keymap, weights } = await mapped("conch_v1");
  const bias = [...await weights.tensors.get("visual.attn_pool_contrast.attn.in_proj_bias")!.readF32()];
  const width = bias.length / 3;
  assert.deepEqual(await values(keymap, weights, "attn_pool_contrast.to_q.bias"), bias.slice(0, width));
  assert.deepEqual(await values(keymap, weights, "attn_pool_contrast.to_kv.bias"), bias.slice(width));
  const v15 = await mapped("conch_v15");
  const names = ({ entries }: Keymap) =>
    entries.map(({ target }) => target).filter((name) => !name.includes("blocks."));
  const unbiased = names(keymap).filter((name) => !/to_(q|kv|out)\.bias$/.test(name));
  assert.deepEqual(names(v15.keymap), unbiased);
  assert.deepEqual(v15.keymap.arch.pooler, { width: 64, heads: 8, bias: false, eps: 1e-5 });
  weights.close();
  v15.weights.close();
});

Deno.test("DINOv2's training checkpoint loses its wrappers and chunks", async () => {
  const { keymap, weights } = await mapped("gpfm");
  assert.deepEqual(keymap.steps, ["backbone."]);
  assert.ok(keymap.entries.some(({ parts }) => /blocks\.\d+\.3\.norm1/.test(parts[0]!.source)));
  assert.ok(keymap.ignored.some((name) => /dino_head/.test(name)), String(keymap.ignored));
  weights.close();
});

Deno.test("wrappers are taken off in any order", () => {
  const shapes = plainShapes();
  const bare = mapStateDict(shapes, HEADS);
  const wraps: [string, (name: string) => string, string[]][] = [
    ["DDP", (name) => `module.${name}`, ["module."]],
    ["compiled DDP", (name) => `module._orig_mod.${name}`, ["_orig_mod.", "module."]],
    ["compiled block", (name) => name.replace("blocks.1.", "blocks.1._orig_mod."), ["_orig_mod."]],
    ["iBOT", (name) => `module.backbone.${name}`, ["module.", "backbone."]],
    ["flattened teacher", (name) => `teacher.backbone.${name}`, ["teacher.", "backbone."]],
    ["SEAL's wrapper", (name) => `model.${name}`, ["model."]],
    ["flattened state_dict", (name) => `state_dict.model.${name}`, ["state_dict.", "model."]],
  ];
  for (const [what, change, steps] of wraps) {
    const keymap = mapStateDict(renamed(shapes, change), HEADS);
    assert.deepEqual(keymap.steps, steps, what);
    assert.deepEqual(keymap.entries.map(({ target }) => target), bare.entries.map(({ target }) => target), what);
    assert.equal(keymap.entries[0]!.parts[0]!.source, change("cls_token"));
  }
  const beside = renamed(shapes, (name) => `backbone.${name}`);
  beside.set("dino_head.mlp.0.weight", [2048, 64]);
  assert.deepEqual(mapStateDict(beside, HEADS).ignored, ["dino_head.mlp.0.weight"]);
  const both = new Map([...renamed(shapes, (n) => `teacher.${n}`), ...renamed(shapes, (n) => `student.${n}`)]);
  assert.ok(mapStateDict(both, HEADS).entries.every(({ parts }) => parts[0]!.source.startsWith("teacher.")));
});

Deno.test("PEFT's names give the base layers, and the matrices aside", () => {
  const shapes = renamed(
    plainShapes(),
    (name) => `base_model.model.${name.replace(/(blocks\.1\.(?:attn\.(?:qkv|proj)|mlp\.fc[12]))\./, "$1.base_layer.")}`,
  );
  shapes.set("base_model.model.blocks.1.attn.qkv.lora_A.default.weight", [8, 64]);
  shapes.set("base_model.model.blocks.1.attn.qkv.lora_B.default.weight", [192, 8]);
  const keymap = mapStateDict(shapes, HEADS);
  assert.deepEqual(keymap.adapters.map(({ module, part, adapter }) => [module, part, adapter]), [
    ["blocks.1.attn.qkv", "A", "default"],
    ["blocks.1.attn.qkv", "B", "default"],
  ]);
  const seal = new Map(
    [...shapes].filter(([name]) => name.includes("lora")).map(([n, s]) => [`module.encoder.${n}`, s]),
  );
  seal.set("module.decoder.decoder.0.weight", [512, 64]);
  assert.throws(() => mapStateDict(seal, { file: "seal_vision.pth" }), {
    message: "Cannot load seal_vision.pth: it holds 2 LoRA matrices and no encoder, wanted a vision transformer",
    code: "weights-adapter-only",
  });
  shapes.set("base_model.model.blocks.1.attn.qkv.lora_magnitude_vector.default.weight", [192]);
  assert.throws(() => mapStateDict(shapes, HEADS), { code: "weights-adapter" });
});

Deno.test("transformers 5 names its modules otherwise in memory", async () => {
  for (const name of ["phikon", "hibou"]) {
    const { weights, facts, meta } = await fixture(name);
    const half = meta.sizes.hidden as number;
    const shapes = new Map<string, Shape>();
    for (const [key, shape] of shapesOf(weights)) {
      const next = key.replace("attention.attention.query", "attention.q_proj")
        .replace("attention.attention.key", "attention.k_proj").replace("attention.attention.value", "attention.v_proj")
        .replace("attention.output.dense", "attention.o_proj").replace("intermediate.dense", "mlp.fc1")
        .replace(/(layer\.\d+)\.output\.dense/, "$1.mlp.fc2").replace("mlp.weights_out", "mlp.down_proj");
      const final = name === "phikon" ? next.replace("encoder.layer.", "layers.") : next;
      if (final.includes("mlp.weights_in")) {
        for (const part of ["gate_proj", "up_proj"]) {
          shapes.set(final.replace("weights_in", part), [half, ...shape.slice(1)]);
        }
      } else shapes.set(final, shape);
    }
    const [disk, memory] = [shapesOf(weights), shapes].map((each) => mapStateDict(each, hints(facts)));
    assert.deepEqual(memory!.arch, disk!.arch);
    assert.deepEqual(memory!.entries.map(({ target }) => target), disk!.entries.map(({ target }) => target));
    if (name === "hibou") {
      const fc1 = memory!.entries.find(({ target }) => target === "blocks.0.mlp.fc1.bias")!;
      assert.deepEqual(fc1.parts.map(({ source, to }) => [source.split(".").at(-2), to]), [["gate_proj", half], [
        "up_proj",
        half,
      ]]);
    }
    weights.close();
  }
});

Deno.test("missing, unexpected and mis-shaped tensors are listed: ten of each, with totals", () => {
  const shapes = plainShapes(64, 3);
  for (let i = 0; i < 12; i++) shapes.set(`blocks.0.extra.${i}`, [3]);
  for (const name of [...shapes.keys()].filter((name) => name.startsWith("blocks.1."))) shapes.delete(name);
  shapes.set("blocks.2.attn.proj.weight", [64, 32]);
  assert.throws(() => mapStateDict(shapes, { file: "w.bin", ...HEADS }), (error: unknown) => {
    assert.ok(error instanceof WeightsError && error.code === "weights-names" && error.exitCode === 5);
    assert.match(
      error.message,
      /^Cannot load w\.bin: 12 missing \(blocks\.1\.norm1\.weight, .*, …\), 12 unexpected \(blocks\.0\.extra\.0, /,
    );
    assert.match(error.message, /1 of another shape \(blocks\.2\.attn\.proj\.weight \[64, 32\] for \[64, 64\]\)$/);
    assert.deepEqual(error.context.totals, { missing: 12, unexpected: 12, misshaped: 1 });
    assert.equal((error.context.missing as string[]).length, 10);
    return true;
  });
  // Networks that only begin like these: normalised queries, BEiT's relative positions, a distillation token.
  for (
    const name of ["blocks.0.attn.q_norm.weight", "blocks.0.attn.relative_position_bias_table", "distillation_token"]
  ) {
    const other = plainShapes().set(name, [64]);
    assert.throws(() => mapStateDict(other, HEADS), new RegExp(`1 unexpected \\(${name.replaceAll(".", "\\.")}\\)`));
  }
});

Deno.test("what remains unclear is asked for", () => {
  const unclear = { name: "WeightsError", code: "weights-ambiguous" };
  assert.throws(() => mapStateDict(plainShapes()), {
    ...unclear,
    message: /width 64 does not say how many attention heads/,
  });
  assert.throws(() => mapStateDict(plainShapes(), { heads: 3 }), { ...unclear, message: /no multiple of 3 heads/ });
  // Nine rows with four registers: 3 x 3, or 2 x 2 behind five prefix tokens.
  const rows = plainShapes(64, 2, 4, 9);
  assert.throws(() => mapStateDict(rows, HEADS), {
    ...unclear,
    message: /9 position rows are 0 and 3 x 3 or 5 and 2 x 2/,
  });
  assert.equal(mapStateDict(rows, { ...HEADS, prefixPositions: 5 }).arch.grid, 2);
  assert.equal(mapStateDict(rows, { ...HEADS, imageSize: 42 }).arch.prefixPositions, 0);
  assert.throws(() => mapStateDict(plainShapes(64, 2, 4, 8), HEADS), /8 rows, wanted a square and 0 or 1 or 5 more/);
  const two = new Map([...plainShapes(), ...renamed(plainShapes(), (name) => `encoder.${name}`)]);
  assert.throws(() => mapStateDict(two, HEADS), { ...unclear, message: /it holds timm at "", timm at "encoder\."/ });
  const twice = plainShapes().set("module.cls_token", [1, 1, 64]);
  assert.throws(() => mapStateDict(twice, HEADS), {
    ...unclear,
    message: /cls_token and module\.cls_token both are cls_token/,
  });
});

Deno.test("other networks are named, hostile indices do not cost memory", () => {
  const swin = new Map([["layers.0.blocks.0.attn.relative_position_bias_table", [169, 3]]]);
  assert.throws(() => mapStateDict(swin, { file: "ctranspath.pth" }), {
    message: "Cannot load ctranspath.pth: it holds a Swin transformer (CTransPath is one), wanted a vision transformer",
    code: "weights-unsupported",
  });
  assert.throws(() => mapStateDict(new Map([["layer1.0.conv1.weight", [64, 64, 1, 1]]])), /a ResNet/);
  assert.throws(() => mapStateDict(new Map([["a.b", [1]]])), {
    code: "weights-unknown",
    message: /1 tensors of no known encoder \(a\.b\)/,
  });
  assert.throws(() => mapStateDict(new Map()), { code: "weights-unknown" });
  const deep = plainShapes().set("blocks.999999999.norm1.weight", [64]);
  assert.throws(() => mapStateDict(deep, HEADS), /block 999999999 is among/);
  const flat = plainShapes().set("patch_embed.proj.weight", [64, 588]);
  assert.throws(() => mapStateDict(flat, HEADS), /patch_embed\.proj\.weight is \[64, 588\], wanted 4 dimensions/);
  assert.throws(
    () => mapStateDict(plainShapes().set("patch_embed.proj.weight", [64, 1, 14, 14]), HEADS),
    /squares of 3 channels/,
  );
  assert.throws(
    () => mapStateDict(plainShapes().set("blocks.0.mlp.fc2.weight", [64, 100]), HEADS),
    /as many or twice as many/,
  );
});

Deno.test("adapters' module names lead to layers and back", () => {
  for (
    const [family, mlp] of [["timm", "swiglu"], ["hf_vit", "gelu"], ["hf_dinov2", "gelu"], [
      "hf_dinov2",
      "swiglu",
    ]] as const
  ) {
    for (const part of ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"]) {
      const layer = `blocks.7.${part}`;
      const modules = modulesOfLayer(family, layer, mlp);
      for (const root of ["", "model."]) {
        assert.deepEqual(
          modules.map((module) => layerOfModule(family, root + module)?.layer),
          modules.map(() => layer),
        );
      }
    }
  }
  assert.deepEqual(
    modulesOfLayer("hf_vit", "blocks.3.attn.qkv", "gelu").map((m) => layerOfModule("hf_vit", m)!.piece),
    ["q", "k", "v"],
  );
  assert.deepEqual(modulesOfLayer("conch", "trunk.blocks.11.mlp.fc1", "gelu"), ["trunk.blocks.11.mlp.fc1"]);
  assert.deepEqual(layerOfModule("conch", "trunk.blocks.11.mlp.fc1"), { layer: "trunk.blocks.11.mlp.fc1" });
  assert.deepEqual(layerOfModule("timm", "encoder.blocks.31.attn.proj"), { layer: "blocks.31.attn.proj" });
  assert.deepEqual(layerOfModule("hf_dinov2", "encoder.layer.2.attention.k_proj"), {
    layer: "blocks.2.attn.qkv",
    piece: "k",
  });
  assert.equal(layerOfModule("conch", "attn_pool_contrast.to_q"), undefined);
});

Deno.test("positions follow the rule of the file at hand", () => {
  const bicubic = { filter: "bicubic", antialias: true };
  const [from, to] = [[14, 14], [28, 28]] as const;
  assert.deepEqual(positionSteps("timm", 14, to), [{ from, to, ...bicubic }]);
  assert.deepEqual(positionSteps("timm", 28, to), []);
  assert.deepEqual(positionSteps("hf_dinov2", 14, to), [{ from, to, ...bicubic, antialias: false }]);
  assert.deepEqual(positionSteps("hf_dinov2", 14, to, { registers: 4 }), [{ from, to, ...bicubic }]);
  assert.deepEqual(positionSteps("dinov2", 14, to), [{ from, to, ...bicubic, antialias: false, offset: 0.1 }]);
  const conch = { spec: index.conch_v15! };
  const last = { from, to, ...bicubic, antialias: false, offset: 0.1 };
  assert.deepEqual(positionSteps("conch_v15", 14, to, conch), [last]);
  assert.deepEqual(positionSteps("conch_v15", 28, to, conch), [{
    from: to,
    to: from,
    filter: "bilinear",
    antialias: false,
  }, last]);
  assert.deepEqual(positionSteps("conch", 28, from, { spec: index.conch_v1! }), [{ from: to, to: from, ...bicubic }]);
});

Deno.test("resamplePositionTable() agrees with the reference", () => {
  const [width, prefix, from] = [3, 2, 5];
  const table = Float32Array.from({ length: (prefix + from * from) * width }, (_, i) => Math.sin(i * i));
  for (const to of [[3, 3], [8, 6], [1, 25], [5, 5]] as const) {
    for (
      const rule of [{ antialias: true }, { antialias: false }, { antialias: false, offset: 0.1 }, {
        antialias: false,
        filter: "bilinear" as const,
      }]
    ) {
      const step = { from: [from, from] as const, to, filter: "bicubic" as const, ...rule };
      const got = resamplePositionTable(table, width, prefix, [step]);
      const same = to[0] === from && to[1] === from;
      const wanted = same
        ? Float64Array.from(table)
        : resamplePositionsRef(Float64Array.from(table), step.from, to, prefix, step);
      assert.equal(got.length, wanted.length);
      wanted.forEach((value, i) => assert.ok(Math.abs(got[i]! - value) < 1e-6, `${to} ${JSON.stringify(rule)} ${i}`));
    }
  }
  assert.throws(() => resamplePositionTable(table, width, 1, [{ from: [5, 5], to: [3, 3] }]), { name: "LimitError" });
});
