import assert from "node:assert/strict";
import { findInputs, inputParts, openInput } from "../../src/embed/inputs.ts";
import { featureTable } from "../../src/embed/feature_table.ts";
import { sha256OfParts } from "../../src/io/checksum.ts";
import { disk } from "../../src/io/fs.ts";

const fixture = (name: string) => new URL(`../fixtures/${name}`, import.meta.url).pathname;
const by = {
  encoder: "uni",
  dim: 1024,
  weightsHash: "ab",
  precision: "f16",
  pooling: "cls",
  inputSize: 224,
  preparation: "no resize",
  assumed: ["a", "b"],
  software: "seal-webgpu 0.1.0",
} as const;

async function tableOf(...names: string[]) {
  const [found] = findInputs(disk, names.map(fixture));
  const input = await openInput(disk, found!);
  input.close();
  return featureTable(input, sha256OfParts(disk, inputParts(disk, input)), by);
}

Deno.test("featureTable() says what made the features, and of what", async () => {
  const { attributes, coordsAttributes, rowNames, coords, count, dim } = await tableOf("h5/v1.h5");
  assert.deepEqual([count, dim, rowNames?.values.length, coords?.length], [5, 1024, 5, 10]);
  const { input_sha256, ...rest } = attributes;
  assert.match(String(input_sha256), /^[0-9a-f]{64}$/);
  assert.deepEqual(rest, {
    encoder: "uni",
    weights_sha256: "ab",
    adapter: "none",
    adapter_sha256: "none",
    pooling: "cls",
    precision: "f16",
    tuning: "none",
    matrix_units: "none",
    input_size: 224,
    preparation: "no resize",
    assumed: "a; b",
    patch_size: 12,
    pixel_size: 0.5,
    input: "v1",
    patch_generation: "v1",
    software: "seal-webgpu 0.1.0",
  });
  assert.deepEqual(coordsAttributes, { patch_size: 12, patch_size_level0: 29, coords_of: "top-left" });
});

Deno.test("featureTable() says what is not known", async () => {
  const images = await tableOf("images/jpeg_420.jpg", "images/jpeg_grey.jpg");
  assert.deepEqual([images.attributes["patch_size"], images.attributes["pixel_size"]], ["mixed", "unknown"]);
  assert.deepEqual((await tableOf("h5/images.npy")).attributes["patch_size"], "5x4");
});
