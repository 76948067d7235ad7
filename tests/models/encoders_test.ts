/** The encoders as data: consistent with each other, with documented totals, and with the layouts of full-size files. */

import assert from "node:assert/strict";
import { ConfigError } from "../../src/core/errors.ts";
import { type Shape, sizeOf } from "../../src/core/shape.ts";
import {
  encoderNames,
  ENCODERS,
  findEncoder,
  matchingEncoders,
  outputWith,
  recogniseEncoder,
} from "../../src/models/encoder_registry.ts";
import { type EncoderSpec, inputOfSize } from "../../src/models/encoder_spec.ts";
import { index } from "../../src/models/encoders/index.gen.ts";
import { expectedTensors } from "../../src/models/families/arch.ts";
import { mapStateDict } from "../../src/models/families/keymap.ts";
import { FAMILIES } from "../../src/models/families/names.ts";
import { loraParameterCount, loraTargets } from "../../src/models/lora_recipe.ts";

const FIXTURES = new URL("../fixtures/encoders/", import.meta.url);

interface FullShapes {
  encoders: Record<string, {
    heads: number;
    tensors: number;
    elements: number;
    depth: number;
    names: [string, number[]][];
    ignored?: [string, number[]][];
  }>;
}

const full = JSON.parse(Deno.readTextFileSync(new URL("full_shapes.json", FIXTURES))) as FullShapes;

/** Encoders whose id in the fixture is not their file name. */
const IDS: Readonly<Record<string, string>> = {
  uni2h: "uni2_h",
  hoptimus0: "h_optimus_0",
  hoptimus1: "h_optimus_1",
  h0mini: "h0_mini",
  kaiko_s16: "kaiko_vits16",
  kaiko_s8: "kaiko_vits8",
  kaiko_b16: "kaiko_vitb16",
  kaiko_b8: "kaiko_vitb8",
  kaiko_l14: "kaiko_vitl14",
  lunit_s8: "lunit_vits8",
  dinov2_s14_hf: "dinov2_s",
};

function specOf(id: string): EncoderSpec {
  const found = index[IDS[id] ?? id] ?? index[id.replace("timm_", "")] ??
    index[id.replace("14_reg4", "_reg").replace("14", "")];
  assert.ok(found, `no spec for ${id}`);
  return found;
}

function shapesOf(id: string): Map<string, Shape> {
  const { depth, names, ignored = [] } = full.encoders[id]!;
  const shapes = new Map<string, Shape>();
  for (const [name, shape] of [...names, ...ignored]) {
    const count = name.includes("{i}") ? depth : 1;
    for (let i = 0; i < count; i++) shapes.set(name.replace("{i}", String(i)), shape);
  }
  return shapes;
}

Deno.test("no two encoders share a spelling, and every spec is consistent in itself", () => {
  const taken = new Map<string, string>();
  for (const { name, aliases, source } of ENCODERS) {
    for (const word of [name, ...aliases, source.repo, ...(source.mirrors ?? [])]) {
      const plain = word.toLowerCase().replaceAll(/[-_./ ]/g, "");
      assert.ok([undefined, name].includes(taken.get(plain)), `${word} is of ${taken.get(plain)} and ${name}`);
      taken.set(plain, name);
    }
  }
  for (const spec of ENCODERS) {
    const { arch, input, output, name } = spec;
    assert.equal(arch.width % arch.heads, 0, name);
    assert.ok([0, 1, 1 + arch.registers].includes(arch.prefixPositions), name);
    assert.equal(arch.imageSize % arch.patch, 0, name);
    assert.equal(input.size % arch.patch, 0, name);
    assert.ok((input.resize ?? input.size) >= input.size, name);
    const dims = {
      "cls": arch.width,
      "mean": arch.width,
      "cls+mean": 2 * arch.width,
      "attn_pool": output.pooler?.width,
    };
    assert.equal(output.dim, dims[output.pooling], name);
    assert.ok(input.mean.every((v) => v > 0.3 && v < 0.8) && input.std.every((v) => v > 0.1 && v <= 0.5), name);
    assert.equal(arch.eps, FAMILIES[spec.family].eps, name);
    assert.ok(Deno.statSync(new URL(`${spec.parity}/meta.json`, FIXTURES)).isFile, name);
    assert.ok(spec.source.files.length > 0 && /^[\w.-]+\/[\w.-]+$/.test(spec.source.repo), name);
  }
});

Deno.test("findEncoder() knows the spellings of TRIDENT and SEAL", () => {
  const spellings: Record<string, string[]> = {
    "conch_v1": ["conch", "CONCH_V1", "MahmoodLab/CONCH", "MahmoodLab/conch"],
    "conch_v15": ["conch_v15", "conchv1_5", "conch-v1.5"],
    "uni": ["uni_v1", "UNI", "MahmoodLab/uni"],
    "uni2-h": ["univ2", "uni_v2", "UNI2-h", "uni2h"],
    "virchow": ["paige-ai/Virchow"],
    "virchow2": ["Virchow2"],
    "h-optimus-0": ["hoptimus0"],
    "h-optimus-1": ["hoptimus1", "bioptimus/H-optimus-1"],
    "h0-mini": ["h0mini", "h0-mini"],
    "gigapath": ["gigapath", "prov-gigapath"],
    "phikon": ["phikon"],
    "phikon-v2": ["phikon_v2", "phikon2", "phikonv2"],
    "hibou-l": ["hibou_l"],
    "kaiko-vits8": ["kaiko-vits8", "kaiko_s8"],
    "kaiko-vitl14": ["kaiko-vitl14"],
    "lunit-vits8": ["lunit-vits8"],
    "gpfm": ["gpfm"],
    "dinov2-b-reg": ["dinov2_vitb14_reg", "facebook/dinov2-with-registers-base"],
  };
  for (const [name, words] of Object.entries(spellings)) {
    for (const word of words) assert.equal(findEncoder(word).name, name, word);
  }
  assert.throws(() => findEncoder("virchw2"), (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.message, 'Cannot find encoder "virchw2": no such name');
    assert.equal(error.hint, "Did you mean virchow2?");
    return true;
  });
  assert.throws(() => findEncoder("resnet50"), (error: ConfigError) => error.hint!.startsWith("Known are "));
  assert.throws(
    () => findEncoder("musk"),
    (error: ConfigError) => error.code === "encoder-refused" && /BEiT3/.test(error.message),
  );
  assert.ok(!encoderNames().includes("musk") && encoderNames().length === ENCODERS.length - 1);
});

Deno.test("full-size files map to the architecture of their spec, with documented totals", () => {
  for (const [id, { heads, tensors, elements }] of Object.entries(full.encoders)) {
    const spec = specOf(id);
    const shapes = shapesOf(id);
    if (id === "musk") {
      assert.throws(() => mapStateDict(shapes), { code: "weights-unsupported" });
      continue;
    }
    // Once without and once with the spec: a file of a known encoder needs no name, its number of heads included.
    for (const options of [{}, { spec }]) {
      const keymap = mapStateDict(shapes, { file: id, ...options });
      const { arch, entries, family } = keymap;
      if (id !== "dinov2_s14_hf") {
        assert.equal(family, spec.family, id);
        const { grid, pooler, ...sizes } = arch;
        // CONCH's trunk has 14 x 14 positions where the input has 28 x 28.
        assert.deepEqual(sizes, { ...spec.arch, eps: sizes.eps }, id);
        assert.equal(grid, spec.arch.imageSize / spec.arch.patch, id);
        assert.deepEqual(pooler, spec.output.pooler, id);
      }
      assert.equal(arch.heads, heads, id);
      assert.equal(entries.reduce((sum, { shape }) => sum + sizeOf(shape), 0), elements, id);
      const read = entries.flatMap(({ parts }) => parts);
      assert.equal(new Set(read.map(({ source }) => source)).size, tensors, id);
      assert.equal(read.reduce((sum, { from, to }) => sum + to - from, 0), elements, id);
      assert.equal(keymap.ignored.length, shapes.size - tensors, id);
      assert.deepEqual(entries.map(({ target }) => target), [...expectedTensors(arch, FAMILIES[family].trunk).keys()]);
    }
    const guesses = matchingEncoders(specOf(id).family, spec.arch).map(({ name }) => name);
    assert.ok(guesses.includes(spec.name), `${id}: ${guesses}`);
  }
});

Deno.test("a file of another encoder is refused with what differs", () => {
  assert.throws(() => mapStateDict(shapesOf("uni"), { spec: index.virchow2!, file: "x.bin" }), {
    name: "WeightsError",
    message: "Cannot load x.bin as virchow2: width is 1024, wanted 1280",
    code: "weights-other-encoder",
  });
  assert.throws(() => mapStateDict(shapesOf("gpfm"), { spec: index.uni! }), /patch is 14, wanted 16/);
});

Deno.test("SEAL's rule gives its numbers of parameters, surprises included", () => {
  // Per block at rank 8; blocks; prefix of the first name.
  const table: Record<string, [number, number, string]> = {
    conch: [98_304, 1, "trunk.blocks.11.attn.qkv"],
    uni: [131_072, 1, "blocks.23.attn.qkv"],
    univ2: [196_608, 3, "blocks.21.attn.qkv"],
    hoptimus1: [196_608, 1, "blocks.39.attn.qkv"],
    gigapath: [196_608, 1, "blocks.39.attn.qkv"],
    virchow: [163_904, 1, "blocks.31.attn.qkv"],
    virchow2: [163_904, 1, "blocks.31.attn.qkv"],
    h0mini: [98_304, 1, "blocks.11.attn.qkv"],
    phikon2: [81_920, 1, "blocks.23.mlp.fc1"],
  };
  const seal = ENCODERS.filter(({ lora }) => lora.seal !== undefined);
  assert.deepEqual(seal.map(({ lora }) => lora.seal!).sort(), [...Object.keys(table), "musk"].sort());
  for (const [name, [perBlock, blocks, first]] of Object.entries(table)) {
    const spec = findEncoder(name);
    assert.equal(spec.lora.seal, name);
    const targets = loraTargets(spec);
    assert.equal(targets[0], first);
    assert.equal(loraParameterCount(spec.arch, targets, 8), perBlock * blocks, name);
    assert.equal(loraParameterCount(spec.arch, loraTargets(spec, { blocks: "all" }), 8), perBlock * spec.arch.depth);
  }
  const phikon2 = findEncoder("phikon2");
  assert.match(phikon2.lora.surprise!, /attention/);
  assert.equal(loraParameterCount(phikon2.arch, loraTargets(phikon2, { rule: "standard" }), 8), 131_072);
  // MUSK's q, k, v and out projections are apart: 4 of 24 layers in two branches.
  const { arch, lora } = index.musk!;
  assert.equal(lora.blocks, "all");
  assert.equal(2 * arch.depth * 4 * 8 * (arch.width + arch.width), 3_145_728);
  assert.equal(findEncoder("hibou-l").lora.seal, undefined);
  assert.equal(loraParameterCount(index.hibou_l!.arch, loraTargets(index.hibou_l!), 8), 131_200);
  for (const blocks of [0, 25, 1.5]) assert.throws(() => loraTargets(phikon2, { blocks }), ConfigError);
});

Deno.test("recogniseEncoder() goes by path and architecture", () => {
  const guess = (id: string, path: string) => recogniseEncoder(index[id]!.family, index[id]!.arch, path)?.spec.name;
  const by = (path: string) => recogniseEncoder("timm", index["uni"]!.arch, path)?.by;
  assert.deepEqual([by("weights/uni_v1.bin"), by("weights/x.bin")], ["path", "sizes"]);
  assert.equal(guess("uni", "/w/models--MahmoodLab--UNI/snapshots/0123/pytorch_model.bin"), "uni");
  assert.equal(guess("uni", "weights/uni_v1.bin"), "uni");
  assert.equal(guess("uni", "weights/virchow2/pytorch_model.bin"), "uni", "the only one of timm's with its sizes");
  assert.equal(guess("gpfm", "weights/GPFM.pth"), "gpfm");
  assert.equal(guess("h_optimus_0", "weights/pytorch_model.bin"), undefined);
  assert.equal(guess("h_optimus_1", "weights/H-optimus-1/model.safetensors"), "h-optimus-1");
  assert.equal(guess("conch_v15", "C:\\w\\x.bin"), "conch_v15");
  assert.equal(guess("kaiko_vits8", "lunit/model.safetensors"), "lunit-vits8");
  assert.equal(guess("kaiko_vits8", "model.safetensors"), undefined);
});

Deno.test("outputWith() offers the class token where the original concatenates", () => {
  assert.deepEqual(outputWith(index.h0_mini!, "cls"), { pooling: "cls", dim: 768 });
  assert.deepEqual(outputWith(index.uni!, "cls+mean"), { pooling: "cls+mean", dim: 2048 });
  assert.equal(outputWith(index.conch_v1!).dim, 512);
  assert.throws(() => outputWith(index.uni!, "attn_pool"), ConfigError);
  assert.throws(() => outputWith(index.conch_v1!, "cls"), ConfigError);
});

Deno.test("another size of the input is resized as timm does by crop_pct, else in proportion", () => {
  const { input } = findEncoder("vit-s16");
  // floor(448 / 0.9); twice the 248 of 224 px would be 496.
  assert.deepEqual(inputOfSize(input, 448), { ...input, size: 448, resize: 497 });
  assert.equal(inputOfSize(input, 224).resize, 248);
  assert.equal(inputOfSize(findEncoder("gigapath").input, 448).resize, 512);
});
