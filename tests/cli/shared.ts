/** What the tests of commands share: the command line itself, folders that vanish, weights files of any size. */

import { Rng } from "../../src/core/rng.ts";
import { disk, openFile } from "../../src/io/fs.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { safetensorsStream } from "../../src/io/torch/safetensors.ts";
import type { Shape } from "../../src/core/shape.ts";
import { WeightTensor } from "../../src/io/torch/weight_tensor.ts";
import { openWeights } from "../../src/io/torch/weights.ts";

export { seal } from "./command.ts";

/** Folder of the fixtures, with a slash at the end. */
export const FIXTURES: string = new URL("../fixtures/", import.meta.url).pathname;

/** Runs `act` with a folder of its own. */
export async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A safetensors file of f32 zeros that takes no room on the disk. */
export async function sparseWeights(path: string, shapes: ReadonlyMap<string, Shape>): Promise<void> {
  const none = () => Promise.reject(new Error("not read"));
  const tensors = new Map([...shapes].map(([name, shape]) => [name, new WeightTensor(name, "F32", shape, none)]));
  const { value: head } = await safetensorsStream(tensors).next();
  using file = await Deno.open(path, { write: true, create: true });
  await file.write(head as Uint8Array);
  await file.truncate((head as Uint8Array).length + [...tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0));
}

/** All tensors of a file: type, shape and bytes. */
export async function readAll(
  path: string,
  key?: string,
): Promise<Map<string, { dtype: string; shape: Shape; bytes: Uint8Array; f32: Float32Array }>> {
  const weights = await openWeights(await openFile(path), key === undefined ? {} : { path: key });
  const out = new Map<string, { dtype: string; shape: Shape; bytes: Uint8Array; f32: Float32Array }>();
  for (const [name, tensor] of weights.tensors) {
    const [bytes, f32] = [await tensor.read(), await tensor.readF32()];
    out.set(name, { dtype: tensor.dtype, shape: tensor.shape, bytes, f32 });
  }
  weights.close();
  return out;
}

/** A HEST patch file of today with `count` patches of 32 px. */
export async function patchFile(path: string, count: number): Promise<void> {
  const begin = await H5Writer.prepare();
  const rng = new Rng(count);
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    h5.dataset("/img", "u1", [count, 32, 32, 3], Uint8Array.from({ length: count * 3072 }, () => rng.below(256)));
    h5.dataset("/coords", "i4", [count, 2], Int32Array.from({ length: count * 2 }, (_, i) => i * 7));
    h5.strings("/barcode", Array.from({ length: count }, (_, i) => `spot-${i}`), [count, 1]);
    for (const [name, value] of Object.entries({ patch_size: 32, patch_size_src: 64, pixel_size: 0.5 })) {
      h5.attribute("/img", name, value);
    }
    h5.close();
  });
}

/** Files below a folder with their bytes as hexadecimal text, in order. */
export function tree(folder: string, below = ""): [string, string][] {
  return [...Deno.readDirSync(`${folder}${below}`)].sort((a, b) => (a.name < b.name ? -1 : 1)).flatMap((entry) => {
    const path = `${below}/${entry.name}`;
    return entry.isDirectory
      ? tree(folder, path)
      : [[path, Deno.readFileSync(`${folder}${path}`).toHex()] as [string, string]];
  });
}
