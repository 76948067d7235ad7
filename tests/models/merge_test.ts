/** Tensors made while they are read: the same in one piece and in many; what a written file says of itself. */

import assert from "node:assert/strict";
import { DataError, ShapeError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import type { Shape } from "../../src/core/shape.ts";
import { imageSizeIn } from "../../src/io/torch/peft.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { safetensorsStream, writeSafetensorsF32 } from "../../src/io/torch/safetensors.ts";
import { toF32, WeightTensor } from "../../src/io/torch/weight_tensor.ts";
import { castTensor, changeTensor, joinTensors } from "../../src/io/torch/weight_views.ts";
import { openWeights } from "../../src/io/torch/weights.ts";
import { encoderMetadata, readEncoderMetadata } from "../../src/models/encoder_config.ts";
import { findEncoder } from "../../src/models/encoder_registry.ts";
import { addLora } from "../../src/models/lora_layers.ts";

const rng = new Rng(9);

function tensor(name: string, shape: Shape, data: Float32Array): WeightTensor {
  return new WeightTensor(
    name,
    "F32",
    shape,
    (from, to) => Promise.resolve(new Uint8Array(data.slice(from, to).buffer)),
  );
}

/** All elements, read a few at a time. */
async function inPieces(tensor: WeightTensor, bytes: number): Promise<Float32Array> {
  const out = new Float32Array(tensor.count);
  for await (const { from, data } of tensor.chunks(bytes)) out.set(toF32(data, tensor.dtype, tensor.name), from);
  return out;
}

Deno.test("addLora() adds s B A, the same in pieces that begin anywhere", async () => {
  const [rows, columns, rank, scale] = [5, 7, 3, 0.75];
  const [w, a, b] = [rng.normals(rows * columns), rng.normals(rank * columns), rng.normals((rows + 2) * rank)];
  const layer = { rank, scale, a, b };
  const whole = w.slice();
  addLora(whole, layer, 0, 2);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let wanted = w[i * columns + j]!;
      for (let r = 0; r < rank; r++) wanted += scale * b[(i + 2) * rank + r]! * a[r * columns + j]!;
      assert.ok(Math.abs(whole[i * columns + j]! - wanted) <= 1e-6);
    }
  }
  const changed = changeTensor(
    tensor("w", [rows, columns], w),
    "F32",
    (values, from) => addLora(values, layer, from, 2),
  );
  for (const bytes of [4, 12, 40, 1000]) assert.deepEqual(await inPieces(changed, bytes), whole);
});

Deno.test("joinTensors() reads any range across its parts, and refuses another number of elements", async () => {
  const [x, y] = [rng.normals(12), rng.normals(6)];
  const parts = [
    { tensor: tensor("x", [3, 4], x), from: 4, to: 12 },
    { tensor: castTensor(tensor("y", [6], y), "F16"), from: 0, to: 6 },
  ];
  const joined = joinTensors("z", [7, 2], parts);
  assert.equal(joined.dtype, "F32");
  const half = await castTensor(tensor("y", [6], y), "F16").readF32();
  const wanted = Float32Array.from([...x.subarray(4), ...half]);
  for (const bytes of [4, 20, 100]) assert.deepEqual(await inPieces(joined, bytes), wanted);
  assert.throws(() => joinTensors("z", [7, 3], parts), ShapeError);
});

Deno.test("castTensor() refuses what has no finite neighbour and leaves integers alone", async () => {
  const large = castTensor(tensor("large", [1], Float32Array.of(7e4)), "F16");
  await assert.rejects(large.read(), (error) => error instanceof DataError && /"large" as F16/.test(error.message));
  assert.deepEqual(
    await castTensor(tensor("large", [1], Float32Array.of(7e4)), "BF16").readF32(),
    Float32Array.of(70144),
  );
  const counter = new WeightTensor("n", "I64", [1], () => Promise.resolve(new Uint8Array(8)));
  assert.equal(castTensor(counter, "F16"), counter);
});

Deno.test("safetensorsStream() writes the bytes of writeSafetensorsF32()", async () => {
  const inputs = new Map([["b", { shape: [2, 3], data: rng.normals(6) }], ["a", { shape: [], data: rng.normals(1) }]]);
  const metadata = { format: "pt" };
  const wanted = writeSafetensorsF32(inputs, metadata);
  const weights = await openWeights(fromBytes(wanted, "made"));
  const chunks: number[] = [];
  for await (const chunk of safetensorsStream(weights.tensors, metadata)) chunks.push(...chunk);
  assert.deepEqual(Uint8Array.from(chunks), wanted);
  const reserved = new Map([["__metadata__", tensor("__metadata__", [1], rng.normals(1))]]);
  await assert.rejects(safetensorsStream(reserved).next(), DataError);
});

Deno.test("readEncoderMetadata() gives what encoderMetadata() wrote, and nothing of others' files", () => {
  const { arch, input, name } = findEncoder("uni2-h");
  const facts = {
    configured: true,
    input: { ...input, resize: undefined, squash: true },
    pooling: "mean",
    notes: ["n"],
  } as const;
  const written = encoderMetadata(arch, [facts], name);
  assert.deepEqual(readEncoderMetadata(written), {
    encoder: name,
    facts: [{ ...facts, heads: arch.heads, eps: arch.eps, imageSize: arch.imageSize }],
  });
  const bare = readEncoderMetadata(encoderMetadata({ ...arch, heads: undefined }, [], undefined, 96));
  assert.deepEqual(bare, { encoder: undefined, facts: [{ eps: arch.eps, imageSize: arch.imageSize }] });
  assert.equal(imageSizeIn(encoderMetadata(arch, [], name, 96)), 96);
  // What versions before wrote.
  const old = {
    num_attention_heads: 24,
    crop_size: { height: 224, width: 224 },
    size: { shortest_edge: 256 },
    resample: 2,
  };
  const [read] = readEncoderMetadata({ seal_config: JSON.stringify({ ...old, image_mean: [0.5, 0.5, 0.5] }) }).facts;
  assert.deepEqual([read?.heads, read?.input?.size, read?.input?.resize, read?.input?.interpolation], [
    24,
    224,
    256,
    "bilinear",
  ]);
  assert.deepEqual(readEncoderMetadata({ format: "pt" }), { encoder: undefined, facts: [] });
  assert.deepEqual(readEncoderMetadata({ seal_config: "{" }), { encoder: undefined, facts: [] });
});
