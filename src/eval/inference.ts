/**
 * What retrieval and prediction need of a trained model of any method, and the passes over many patches and spots
 * that use it.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { PatchReader } from "../data/patch_reader.ts";
import type { TrainingSet } from "../data/training_set.ts";
import type { Vocabulary } from "../data/genes/vocabulary.ts";

/** A trained model, opened for use. */
export interface TrainedModel {
  /** Names, order and training statistics of its genes. */
  readonly vocabulary: Vocabulary;
  /** Numbers of an embedding in the space that images and genes share. */
  readonly width: number;
  /**
   * What the model says of images.
   *
   * @param patches RGB bytes `[n, side, side, 3]`.
   * @param organs Number of the organ of each, for models with an organ token.
   */
  images(patches: Uint8Array, side: number, organs?: readonly number[]): Promise<ImageSide>;
  /**
   * Expression in the shared space.
   *
   * @param x Log-normalised expression in the columns of the vocabulary, `[n, genes]`.
   * @returns `[n, width]`, not normalised.
   */
  encodeGenes(x: Float32Array): Promise<Float32Array>;
}

/** The image side, one row a patch. */
export interface ImageSide {
  /** The encoder's own features, `[n, D]`: what `embed` gives. */
  readonly embedding: Float32Array;
  /** In the shared space, `[n, width]`, not normalised. */
  readonly projected: Float32Array;
  /** By the image decoder, `[n, genes]`, log-normalised; empty where the model has none. */
  readonly expression: Float32Array;
}

/** How many are passed through at once, and who is told. */
export interface PassOptions {
  /** Patches or spots a call; default 64. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  /** Number of the organ of a patch, for models with an organ token. */
  organ?(row: number): number;
  onRows?(done: number, total: number): void;
}

/** Pairs in the shared space. */
export interface EmbeddedPairs {
  /** `[pairs, width]`. */
  readonly image: Float32Array;
  /** `[pairs, width]`. */
  readonly gene: Float32Array;
  readonly width: number;
  /** Sample of each pair. */
  readonly slides: readonly string[];
}

/**
 * Both sides of all pairs of a set.
 *
 * @throws {DataError} If the model returns another number of embeddings than it was given.
 */
export async function embedPairs(
  model: TrainedModel,
  set: TrainingSet,
  reader: PatchReader,
  options: PassOptions = {},
): Promise<EmbeddedPairs> {
  const { batchSize = 64, signal, onRows } = options;
  const { width } = model;
  const [image, gene] = [new Float32Array(set.count * width), new Float32Array(set.count * width)];
  for (let first = 0; first < set.count; first += batchSize) {
    signal?.throwIfAborted();
    const pairs = Uint32Array.from({ length: Math.min(batchSize, set.count - first) }, (_, i) => first + i);
    const { data } = await reader.batch({ pairs });
    const { projected } = await model.images(data, reader.table.size, organsOf(options, first, pairs.length));
    image.set(expectRows(projected, pairs.length, width), first * width);
    gene.set(expectRows(await model.encodeGenes(set.gather(pairs)), pairs.length, width), first * width);
    onRows?.(first + pairs.length, set.count);
  }
  const slides = set.samples.flatMap(({ id, count }) => Array<string>(count).fill(id));
  return { image, gene, width, slides };
}

/** Organs of rows `first` and on, where they are known. */
export function organsOf({ organ }: PassOptions, first: number, count: number): number[] | undefined {
  return organ && Array.from({ length: count }, (_, i) => organ(first + i));
}

/** Refuses an answer of the wrong extent. */
export function expectRows(values: Float32Array, rows: number, width: number): Float32Array {
  if (values.length === rows * width) return values;
  throw new DataError(`Cannot use the model's answer: ${values.length} numbers, ${rows} rows of ${width} wanted`);
}
