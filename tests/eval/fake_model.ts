/**
 * A model whose answers can be told from outside: genes are embedded by a fixed random matrix; an image is embedded as the
 * expression that a table gives for its bytes, with noise, and decoded to the means of its colours times the gene's number.
 */

import { Rng } from "../../src/core/rng.ts";
import type { Vocabulary } from "../../src/data/genes/vocabulary.ts";
import type { TrainedModel } from "../../src/eval/inference.ts";

/** Width of the space. */
export const WIDTH = 6;

/** What decoding gives for a patch. */
export function decoded(patch: Uint8Array, genes: number): number[] {
  const mean = patch.reduce((a, b) => a + b, 0) / patch.length / 255;
  return Array.from({ length: genes }, (_, g) => Math.fround(mean * (g + 1)));
}

/** First bytes of a patch, by which the fake knows it. */
export function keyOf(patch: Uint8Array): string {
  return patch.subarray(0, 24).join();
}

/** Makes one. @param known Expression of patches by key; others are embedded as zeros. */
export function fakeModel(
  vocabulary: Vocabulary,
  known: ReadonlyMap<string, Float32Array> = new Map(),
  options: { noise?: number; decoder?: boolean; batches?: number[] } = {},
): TrainedModel {
  const G = vocabulary.genes.length;
  const matrix = Float64Array.from(new Rng(1, 0).normals(G * WIDTH));
  const project = (x: ArrayLike<number>, noise: Rng | undefined): number[] =>
    Array.from({ length: WIDTH }, (_, e) => {
      let sum = 0;
      for (let g = 0; g < G; g++) sum += (x[g]! - vocabulary.mean[g]!) * matrix[g * WIDTH + e]!;
      return sum + (noise ? noise.normal() * (options.noise ?? 0) : 0);
    });
  return {
    vocabulary,
    width: WIDTH,
    images(patches, side) {
      const each = side * side * 3;
      const n = patches.length / each;
      options.batches?.push(n);
      const parts = Array.from({ length: n }, (_, i) => patches.subarray(i * each, (i + 1) * each));
      return Promise.resolve({
        embedding: Float32Array.from(parts.flatMap((patch) => [...patch.subarray(0, WIDTH)])),
        projected: Float32Array.from(parts.flatMap((patch) => {
          const x = known.get(keyOf(patch));
          return x ? project(x, new Rng(patch[0]!, patch[1]!)) : Array(WIDTH).fill(0);
        })),
        expression: options.decoder === false
          ? new Float32Array()
          : Float32Array.from(parts.flatMap((patch) => decoded(patch, G))),
      });
    },
    encodeGenes(x) {
      const rows = Array.from({ length: x.length / G }, (_, i) => project(x.subarray(i * G, (i + 1) * G), undefined));
      return Promise.resolve(Float32Array.from(rows.flat()));
    },
  };
}
