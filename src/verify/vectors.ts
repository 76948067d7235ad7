/**
 * Embeddings beside PyTorch's: encoders whose weights and images formulas make, embedded here and compared with the vectors that
 * PyTorch has of them in f64, stage by stage.
 *
 * Source: `tests/python/encoder_vectors.py`, which wrote `encoder_vectors.json`.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import { Plan } from "../graph/plan.ts";
import { Store } from "../graph/store.ts";
import { createEncoder, type Encoder } from "../models/encoder.ts";
import { preprocess } from "../models/preprocess.ts";
import { randomEncoder } from "../models/random_encoder.ts";
import { Parameters } from "../nn/parameters.ts";
import record from "./encoder_vectors.json" with { type: "json" };
import { type Distance, distanceOf } from "./parity.ts";
import { patch } from "./formula.ts";
import { startOf } from "./start.ts";

/** Encoders whose vectors are stored. */
export const VECTOR_ENCODERS: readonly string[] = record.encoders.map(({ encoder }) => encoder);

/** Smallest cosine and largest difference, in units of the root mean square, by the storage of weights. */
export const VECTOR_TOLERANCE = {
  f32: { cosine: 0.99999, difference: 1e-4 },
  f16: { cosine: 0.9999, difference: 1e-2 },
} as const;

/** One encoder on one kernel path. */
export interface VectorsFinding extends Distance {
  readonly path: string;
  readonly encoder: string;
  /** Storage of weights. */
  readonly dtype: "f32" | "f16";
  /** Images embedded at once; the farthest of them is reported. */
  readonly images: number;
  /** What is allowed. */
  readonly tolerance: Distance;
  /** The first stage that is farther than allowed: a tap or `embedding`; undefined where none is. */
  readonly parts: string | undefined;
  readonly ok: boolean;
}

/** Numbers of a base64 text of little-endian f32. */
function numbersOf(text: string): Float32Array {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

function build(gpu: Gpu, name: string, dtype: "f32" | "f16"): Encoder {
  const parameters = new Parameters(gpu, () => false);
  const encoder = createEncoder(parameters, randomEncoder(name).spec, { dtype });
  parameters.allocate();
  const start = ({ shape }: { readonly shape: readonly number[] }, name: string) => ({
    shape,
    data: startOf(record.weightSeed, name, shape),
  });
  parameters.load(new Map(parameters.entries().map(([name, tensor]) => [name, start(tensor, name)])));
  return encoder;
}

/** Embeds images, those of the record over and over. @returns The embeddings, and tokens of the first image at each stage. */
async function embed(gpu: Gpu, encoder: Encoder, tile: number, images: number) {
  const store = new Store(gpu);
  const tiles = store.tensor("tiles", "tiles", [images, tile, tile, 3], "u8");
  const g = new Plan(gpu);
  const { embedding, taps } = encoder.forward(g, preprocess(g, tiles, encoder.spec.input));
  const stages = Object.entries(taps);
  g.output(embedding, ...stages.map(([, tensor]) => tensor));
  store.allocate();
  const program = await g.compile();
  try {
    const bytes = new Uint8Array(tiles.size);
    for (let i = 0; i < images; i++) bytes.set(patch(i % record.images, tile), i * tile * tile * 3);
    store.write(tiles, bytes);
    program.run();
    const [rows, ...tokens] = await readback(gpu, embedding, ...stages.map(([, tensor]) => tensor));
    return {
      rows: rows!,
      taps: stages.map(([stage, tensor], i) => ({
        stage,
        width: tensor.dim(2),
        tokens: tokens[i]!.slice(0, tensor.dim(1) * tensor.dim(2)),
      })),
    };
  } finally {
    program.destroy();
    store.destroy();
  }
}

/** How an encoder's vectors are compared. */
export interface VectorsRequest {
  /** One of {@linkcode VECTOR_ENCODERS}. */
  readonly encoder: string;
  readonly dtype: "f32" | "f16";
  /** Images at once. */
  readonly images: number;
  /** What the device's kernels are called. */
  readonly path: string;
}

/** Embeds and compares. */
export async function compareVectors(gpu: Gpu, request: VectorsRequest): Promise<VectorsFinding> {
  const { encoder: name, dtype, images } = request;
  const wanted = record.encoders.find(({ encoder }) => encoder === name)!;
  const encoder = build(gpu, name, dtype);
  try {
    const { rows, taps } = await embed(gpu, encoder, wanted.tile, images);
    const right = numbersOf(wanted.embedding);
    const { dim } = encoder;
    const tolerance = VECTOR_TOLERANCE[dtype];
    const far = ({ cosine, difference }: Distance) =>
      !(cosine >= tolerance.cosine && difference <= tolerance.difference);
    const found = Array.from({ length: images }, (_, i) => {
      const at = i % record.images * dim;
      return distanceOf(rows.slice(i * dim, (i + 1) * dim), right.subarray(at, at + dim));
    });
    const kept = wanted.taps as Readonly<Record<string, string | undefined>>;
    const stage = taps.find(({ stage, tokens, width }) => {
      const ends = numbersOf(kept[stage]!);
      // The last block makes the first token only where nothing else is needed.
      return far(distanceOf(tokens.slice(0, width), ends.subarray(0, width))) ||
        tokens.length > width && far(distanceOf(tokens.slice(-width), ends.subarray(width)));
    })?.stage;
    const whole = {
      cosine: Math.min(...found.map(({ cosine }) => cosine)),
      difference: Math.max(...found.map(({ difference }) => difference)),
    };
    const parts = stage ?? (far(whole) ? "embedding" : undefined);
    return { ...request, ...whole, tolerance, parts, ok: parts === undefined };
  } finally {
    encoder.parameters.destroy();
  }
}
