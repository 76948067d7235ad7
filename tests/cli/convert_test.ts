/** `convert weights` and `convert merge` as users run them. */

import assert from "node:assert/strict";
import { openEncoder } from "../../src/run/encoder.ts";
import { decode, type Dtype, encode } from "../../src/core/dtype.ts";
import { Rng } from "../../src/core/rng.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { openFolder } from "../../src/io/fs.ts";
import { type AdapterModule, type Matrix, readAdapter, writeAdapter } from "../../src/io/torch/peft.ts";
import { writeSafetensorsF32 } from "../../src/io/torch/safetensors.ts";
import { openGpu } from "../gpu/shared.ts";
import { FIXTURES, inFolder, readAll, seal } from "./shared.ts";

const ENCODERS = `${FIXTURES}encoders/`;
type Tensors = Awaited<ReturnType<typeof readAll>>;
let gpu: Gpu | undefined;
Deno.test.afterAll(() => gpu?.destroy());

/** Embeddings of two tiles of noise, from `--encoder` and `--adapter` as commands open them. */
async function embed(encoder: string, adapter?: string, tiles?: { shape: number[]; bytes: Uint8Array }) {
  gpu ??= await openGpu();
  const opened = await openEncoder(gpu, { encoder, adapter });
  const { parameters, imageSize } = opened.encoder;
  const side = imageSize as number;
  const shape = tiles?.shape ?? [2, side, side, 3];
  const rng = new Rng(5);
  const images = parameters.store.tensor("input", "images", shape, "u8");
  parameters.store.write(images, tiles?.bytes ?? Uint8Array.from({ length: 6 * side * side }, () => rng.below(256)));
  const g = new Plan(gpu);
  const { embedding } = opened.encoder.forward(g, images);
  g.output(embedding);
  const program = await g.compile();
  program.run();
  const [data] = await readback(gpu, embedding);
  program.destroy();
  parameters.destroy();
  return data as Float32Array;
}

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}

/** Compares two files; a difference is named, not printed. */
function sameTensors(actual: Tensors, expected: Tensors): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [name, { dtype, shape, bytes }] of expected) {
    const found = actual.get(name)!;
    assert.deepEqual([found.dtype, found.shape], [dtype, shape], name);
    assert.ok(found.bytes.every((byte, i) => byte === bytes[i]), `${name} has other elements`);
  }
}

async function convert(...args: string[]): Promise<{ out: string; err: string }> {
  const { code, out, err } = await seal("convert", ...args);
  assert.equal(code, 0, err);
  return { out, err };
}

Deno.test("convert weights keeps names, types and bits of a PyTorch file", async () => {
  await inFolder(async (folder) => {
    const [input, output] = [`${ENCODERS}uni/pytorch_model.bin`, `${folder}/new/model.safetensors`];
    const { out } = await convert("weights", input, output, "--json");
    sameTensors(await readAll(output), await readAll(input));
    const { tensors, parameters, bytes, types, leftOut } = JSON.parse(out);
    assert.deepEqual([tensors, parameters, types, leftOut], [48, 122640, { F16: 48 }, []]);
    assert.equal(bytes, Deno.statSync(output).size);
    assert.deepEqual([...Deno.readDirSync(`${folder}/new`)].map(({ name }) => name), ["model.safetensors"]);
    const types16 = `${FIXTURES}weights/types.pth`;
    await convert("weights", types16, `${folder}/types.safetensors`);
    sameTensors(await readAll(`${folder}/types.safetensors`), await readAll(types16));
  });
});

Deno.test("convert weights joins shards and takes containers off", async () => {
  await inFolder(async (folder) => {
    await convert("weights", `${FIXTURES}weights/sharded`, `${folder}/one.safetensors`, "--quiet");
    const one = await readAll(`${folder}/one.safetensors`);
    const shards = [1, 2, 3].map((i) => readAll(`${FIXTURES}weights/sharded/model-0000${i}-of-00003.safetensors`));
    const all = new Map((await Promise.all(shards)).flatMap((shard) => [...shard]));
    sameTensors(one, all);
    const gpfm = `${ENCODERS}gpfm/GPFM.pth`;
    const { out } = await convert("weights", gpfm, `${folder}/gpfm.safetensors`, "--json");
    assert.equal(JSON.parse(out).container, "teacher");
    assert.deepEqual([...(await readAll(`${folder}/gpfm.safetensors`)).keys()], [...(await readAll(gpfm)).keys()]);
  });
});

Deno.test("convert weights rounds to the type asked for and leaves integers alone", async () => {
  await inFolder(async (folder) => {
    const input = `${folder}/in.safetensors`;
    const data = new Rng(3).normals(1000, 5);
    data.set([0, -0, 65504, 6e-8, 1e-3, NaN, Infinity, -Infinity]);
    Deno.writeFileSync(input, writeSafetensorsF32(new Map([["x", { shape: [1000], data }]])));
    for (const dtype of ["f16", "bf16", "f32"] satisfies Dtype[]) {
      const output = `${folder}/${dtype}.safetensors`;
      await convert("weights", input, output, "--dtype", dtype);
      const x = (await readAll(output)).get("x")!;
      assert.equal(x.dtype, dtype.toUpperCase());
      assert.deepEqual(x.f32, decode(encode(data, dtype), dtype, 1000));
    }
    await convert("weights", `${FIXTURES}weights/checkpoint.pth`, `${folder}/c.safetensors`, "--dtype", "f16");
    const counter = (await readAll(`${folder}/c.safetensors`)).get("module.norm.num_batches_tracked")!;
    assert.equal(counter.dtype, "I64");
  });
});

Deno.test("convert weights leaves nothing behind when a number does not fit or the input is damaged", async () => {
  await inFolder(async (folder) => {
    const whole = Deno.readFileSync(`${ENCODERS}uni2h/pytorch_model.bin`);
    Deno.writeFileSync(`${folder}/cut.bin`, whole.subarray(0, 300_000));
    const damaged = whole.slice();
    damaged[200_000]! ^= 1;
    Deno.writeFileSync(`${folder}/damaged.bin`, damaged);
    const refusals: [string[], RegExp][] = [
      [
        [`${FIXTURES}weights/types.pth`, `${folder}/a.safetensors`, "--dtype", "f16"],
        /"special" as F16[^]*--dtype bf16/,
      ],
      [[`${folder}/cut.bin`, `${folder}/a.safetensors`], /Cannot read/],
      [[`${folder}/damaged.bin`, `${folder}/a.safetensors`], /checksum|CRC/i],
      [[`${folder}/nothing.bin`, `${folder}/a.safetensors`], /no such file/],
    ];
    for (const [args, text] of refusals) {
      const { code, err } = await seal("convert", "weights", ...args);
      assert.equal(code, 4, err);
      assert.match(err, text);
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["cut.bin", "damaged.bin"]);
  });
});

Deno.test("convert weights --timm gives encoders of every family with the same embedding", async () => {
  await inFolder(async (folder) => {
    for (const name of ["phikon", "phikon_v2", "hibou", "virchow2"]) {
      const output = `${folder}/${name}.safetensors`;
      await convert("weights", `${ENCODERS}${name}`, output, "--timm");
      const names = [...(await readAll(output)).keys()];
      assert.ok(names.includes("blocks.1.attn.qkv.weight") && names.every((n) => !n.includes("encoder.layer")), name);
      // No config.json beside it: heads, eps and normalisation come from the file itself.
      assert.deepEqual(await embed(output), await embed(`${ENCODERS}${name}`), name);
    }
    const table = (await readAll(`${folder}/hibou.safetensors`)).get("pos_embed")!;
    assert.deepEqual(table.shape, [1, 9, 32]);
    const conch = await seal(
      "convert",
      "weights",
      `${ENCODERS}conch_v1`,
      `${folder}/conch.safetensors`,
      "--timm",
      "--json",
    );
    const { tensors, leftOut } = JSON.parse(conch.out);
    assert.deepEqual([tensors, leftOut.length], [43, 20]);
    const other = await seal(
      "convert",
      "weights",
      `${FIXTURES}weights/checkpoint.pth`,
      `${folder}/no.safetensors`,
      "--timm",
    );
    assert.equal(other.code, 5);
  });
});

Deno.test("convert refuses wrong usage before it reads anything", async () => {
  await inFolder(async (folder) => {
    const there = `${folder}/there.safetensors`;
    Deno.writeTextFileSync(there, "mine");
    const input = `${ENCODERS}lunit/model.safetensors`;
    const merge = ["merge", "--encoder", `${ENCODERS}lora_uni`, "--adapter", `${ENCODERS}lora_uni/adapter`];
    const refusals: [string[], RegExp][] = [
      [[], /given nothing[^]*hint: Conversions: weights, merge/],
      [["wieghts", "a", "b"], /no such conversion\nhint: Did you mean convert weights\?/],
      [["banana"], /hint: Conversions:/],
      [["weights", input], /given 1 path/],
      [["weights", input, `${folder}/out.bin`], /ending in .safetensors/],
      [["weights", input, there], /it exists[^]*hint: Pass another path, or --overwrite/],
      [["weights", input, `${folder}/x.safetensors`, "--adapter", "a"], /Cannot use --adapter with convert weights/],
      [["weights", input, `${folder}/x.safetensors`, "--dtype", "f64"], /wanted one of f32, f16, bf16/],
      [[...merge, "--out", there], /it exists/],
      [merge, /wanted --encoder X --adapter DIR --out/],
      [["merge", "--encoder", "random:x", "--adapter", "a", "--out", `${folder}/x.safetensors`], /random encoder/],
      [[...merge, "--encoder", "uniform", "--out", `${folder}/x.safetensors`], /no such name/],
    ];
    const answers = await Promise.all(refusals.map(([args]) => seal("convert", ...args)));
    for (const [i, [args, text]] of refusals.entries()) {
      assert.equal(answers[i]!.code, 2, `${args.join(" ")}: ${answers[i]!.err}`);
      assert.match(answers[i]!.err, text);
    }
    assert.equal(Deno.readTextFileSync(there), "mine");
    await convert("weights", input, there, "--overwrite");
    sameTensors(await readAll(there), await readAll(input));
    assert.deepEqual([...Deno.readDirSync(folder)].length, 1);
  });
});

Deno.test("convert merge gives PEFT's merged weights, from a PEFT folder and from a SEAL checkpoint", async () => {
  await inFolder(async (folder) => {
    const lora = `${ENCODERS}lora_uni`;
    const output = `${folder}/merged.safetensors`;
    const { out } = await convert(
      "merge",
      "--encoder",
      lora,
      "--adapter",
      `${lora}/adapter`,
      "--out",
      output,
      "--json",
    );
    const { changed, modules } = JSON.parse(out);
    assert.equal(modules, 4);
    const [merged, base, expected] = await Promise.all([
      readAll(output),
      readAll(`${lora}/model.safetensors`),
      readAll(`${lora}/expected.safetensors`),
    ]);
    assert.deepEqual([...merged.keys()].sort(), [...base.keys()].sort());
    for (const [name, { f32 }] of merged) {
      if (changed.includes(name)) assert.ok(worst(f32, expected.get(`merged/${name}`)!.f32) <= 1e-7, name);
      else assert.deepEqual(f32, base.get(name)!.f32, name);
    }
    assert.equal(changed.length, 4);
    const inputs = expected.get("inputs")!;
    const embedding = await embed(output, undefined, { shape: [...inputs.shape], bytes: inputs.bytes });
    assert.ok(worst(embedding, expected.get("embedding")!.f32) <= 1e-5);
    const fromSeal = `${folder}/seal.safetensors`;
    await convert("merge", "--encoder", lora, "--adapter", `${lora}/seal_vision.pth`, "--out", fromSeal);
    sameTensors(await readAll(fromSeal), merged);
    await convert(
      "merge",
      "--encoder",
      lora,
      "--adapter",
      `${lora}/seal_vision.pth`,
      "--alpha",
      "0",
      "--out",
      fromSeal,
      "--overwrite",
    );
    sameTensors(await readAll(fromSeal), base);
    // Commands take a SEAL checkpoint wherever they take an adapter.
    assert.deepEqual(await embed(lora, `${lora}/seal_vision.pth`), await embed(lora, `${lora}/adapter`));
  });
});

/** A pair of random matrices. */
function pair(rng: Rng, rank: number, out: number, input: number, scale: number): AdapterModule<Matrix> {
  const matrix = (rows: number, columns: number): Matrix => ({
    shape: [rows, columns],
    data: rng.uniforms(rows * columns, -0.3, 0.3),
  });
  return { rank, scale, a: matrix(rank, input), b: matrix(out, rank) };
}

Deno.test("convert merge keeps the names of transformers, which keep q, k and v apart", async () => {
  await inFolder(async (folder) => {
    const rng = new Rng(11);
    const layer = "encoder.layer.1.";
    const modules = new Map([
      [`${layer}attention.attention.query`, pair(rng, 4, 32, 32, 2)],
      [`${layer}attention.attention.value`, pair(rng, 3, 32, 32, 0.5)],
      [`${layer}output.dense`, pair(rng, 4, 32, 128, 2)],
    ]);
    await writeAdapter(openFolder(`${folder}/adapter`), modules);
    const phikon = `${ENCODERS}phikon`;
    const output = `${folder}/merged.safetensors`;
    const merge = (...rest: string[]) =>
      convert("merge", "--encoder", phikon, "--adapter", `${folder}/adapter`, "--out", ...rest);
    await merge(output);
    const [merged, base] = [await readAll(output), await readAll(`${phikon}/model.safetensors`)];
    assert.deepEqual([...merged.keys()].sort(), [...base.keys()].sort());
    for (const [name, { f32 }] of base) {
      const module = modules.get(name.replace(/\.weight$/, ""));
      if (!module || !name.endsWith(".weight")) {
        assert.deepEqual(merged.get(name)!.f32, f32, name);
        continue;
      }
      const { rank, scale, a, b } = module;
      const [rows, columns] = [b.shape[0]!, a.shape[1]!];
      const wanted = new Float64Array(f32);
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          for (let r = 0; r < rank; r++) {
            wanted[i * columns + j]! += scale * b.data[i * rank + r]! * a.data[r * columns + j]!;
          }
        }
      }
      assert.ok(worst(merged.get(name)!.f32, wanted) <= 1e-6, name);
    }
    const apart = await embed(phikon, `${folder}/adapter`);
    assert.ok(worst(await embed(output), apart) <= 1e-5);
    assert.ok(worst(await embed(phikon), apart) > 1e-2);
    await merge(`${folder}/timm.safetensors`, "--timm");
    assert.deepEqual(await embed(`${folder}/timm.safetensors`), await embed(output));
    // A file alone, of a width whose number of heads nothing says: adding needs none.
    await Deno.copyFile(`${phikon}/model.safetensors`, `${folder}/bare.safetensors`);
    const alone = `${folder}/alone.safetensors`;
    await convert("merge", "--encoder", `${folder}/bare.safetensors`, "--adapter", `${folder}/adapter`, "--out", alone);
    sameTensors(await readAll(alone), merged);
    await merge(`${folder}/bf16.safetensors`, "--dtype", "bf16");
    assert.ok([...(await readAll(`${folder}/bf16.safetensors`)).values()].every(({ dtype }) => dtype === "BF16"));
  });
});

Deno.test("convert merge rounds to the base's type and says so", async () => {
  await inFolder(async (folder) => {
    await writeAdapter(
      openFolder(`${folder}/adapter`),
      new Map([["blocks.2.attn.proj", pair(new Rng(2), 2, 48, 48, 1)]]),
    );
    const merge = async (...rest: string[]) =>
      await convert("merge", "--encoder", `${ENCODERS}uni`, "--adapter", `${folder}/adapter`, "--out", ...rest);
    const { err } = await merge(`${folder}/half.safetensors`);
    assert.match(err, /rounded to F16; --dtype f32/);
    const { err: silent } = await merge(`${folder}/full.safetensors`, "--dtype", "f32");
    assert.ok(!silent.includes("rounded"));
    const name = "blocks.2.attn.proj.weight";
    const [half, full] = [
      (await readAll(`${folder}/half.safetensors`)).get(name)!,
      (await readAll(`${folder}/full.safetensors`)).get(name)!,
    ];
    assert.deepEqual([half.dtype, full.dtype], ["F16", "F32"]);
    assert.deepEqual(half.f32, decode(encode(full.f32, "f16"), "f16", full.f32.length));
  });
});

Deno.test("convert merge exits with 5 for an adapter of another encoder and with 4 for none", async () => {
  await inFolder(async (folder) => {
    const merge = (encoder: string, adapter: string) =>
      seal(
        "convert",
        "merge",
        "--encoder",
        `${ENCODERS}${encoder}`,
        "--adapter",
        adapter,
        "--out",
        `${folder}/x.safetensors`,
      );
    const lora = `${ENCODERS}lora_uni/adapter`;
    const answers = await Promise.all([
      merge("uni", lora),
      merge("phikon", lora),
      merge("uni", `${folder}/none`),
      merge("musk", lora),
    ]);
    assert.deepEqual(answers.map(({ code }) => code), [5, 5, 4, 5], answers.map(({ err }) => err).join());
    assert.match(answers[0]!.err, /Cannot apply the adapter to blocks\.2/);
    assert.match(answers[3]!.err, /MUSK/);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    const adapter = await readAdapter(openFolder(lora));
    assert.equal(adapter.modules.size, 4);
    adapter.close();
  });
});
