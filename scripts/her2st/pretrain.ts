/**
 * Pre-trains the encoder of the serial-section table without any gene: it regresses colour and texture of the patches that
 * `data.ts` cut from the sections to be trained on.
 *
 *   deno run -A scripts/her2st/pretrain.ts --data data/cache/her2st_dense --out data/cache/her2st_encoder
 */

import { parseArgs } from "node:util";
import { disk } from "../../src/io/fs.ts";
import { openPatches } from "../../src/io/patches.ts";
import { type Example, pretrain } from "../pretrain_vit.ts";
import { textureStatistics } from "./texture.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "data/cache/her2st_dense" },
    out: { type: "string", default: "data/cache/her2st_encoder" },
    statistics: { type: "string" },
    sections: { type: "string", default: "C2,C3,C4" },
    steps: { type: "string", default: "2000" },
    batch: { type: "string", default: "128" },
    lr: { type: "string", default: "1e-3" },
    dim: { type: "string", default: "192" },
    depth: { type: "string", default: "4" },
    seed: { type: "string", default: "1" },
  },
});

const SIDE = 112;

/** Numbers of all patches of a section, from a file of an earlier run where there is one. */
function statisticsOf(id: string, patches: readonly Uint8Array[]): Float64Array[] {
  const path = `${values.statistics ?? values.data}/${id}_texture.f64`;
  const width = textureStatistics(patches[0]!, SIDE).length;
  if (disk.look(path)) {
    const kept = new Float64Array(Deno.readFileSync(path).buffer);
    if (kept.length === width * patches.length) {
      return patches.map((_, i) => kept.subarray(i * width, (i + 1) * width));
    }
  }
  const found = patches.map((rgb) => textureStatistics(rgb, SIDE));
  const all = new Float64Array(width * patches.length);
  found.forEach((row, i) => all.set(row, i * width));
  disk.write(path, new Uint8Array(all.buffer));
  return found;
}

const raw: { rgb: Uint8Array; target: Float64Array }[] = [];
for (const id of values.sections.split(",")) {
  const file = await openPatches(disk.open(`${values.data}/patches/${id}_dense.h5`, "read"));
  const patches = Array.from({ length: file.count }, (_, i) => file.read(i, i + 1));
  file.close();
  const targets = statisticsOf(id, patches);
  patches.forEach((rgb, i) => raw.push({ rgb, target: targets[i]! }));
}
const width = raw[0]!.target.length;
const column = (f: number) => raw.map(({ target }) => target[f]!);
const moments = Array.from({ length: width }, (_, f) => {
  const all = column(f);
  const mean = all.reduce((a, b) => a + b, 0) / all.length;
  return [mean, Math.sqrt(all.reduce((sum, v) => sum + (v - mean) ** 2, 0) / all.length) + 1e-9] as const;
});
const examples: Example[] = raw.map(({ rgb, target }) => ({
  rgb,
  target: Float32Array.from(target, (value, f) => (value - moments[f]![0]) / moments[f]![1]),
}));
const test = examples.filter((_, i) => i % 20 === 0);
console.error(`${examples.length} patches, ${width} numbers each`);
await pretrain(examples.filter((_, i) => i % 20 !== 0), test, {
  what:
    `regresses ${width} colour and texture statistics of patches of HER2ST ${values.sections}; scripts/her2st/pretrain.ts`,
  out: values.out,
  size: SIDE,
  steps: Number(values.steps),
  batch: Number(values.batch),
  lr: Number(values.lr),
  seed: Number(values.seed),
  dim: Number(values.dim),
  depth: Number(values.depth),
  patch: 16,
});
