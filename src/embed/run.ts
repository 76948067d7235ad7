/**
 * One input through an encoder into a feature file: images are read and decoded ahead while the device works.
 *
 * @module
 */

import type { RgbImage } from "../io/image/rgb_image.ts";
import type { Embedder } from "./embedder.ts";
import type { EmbedInput } from "./inputs.ts";
import type { FeatureWriter } from "./writer.ts";

/** Options of {@linkcode embedInput}. */
export interface EmbedRunOptions {
  /** Told after each batch: rows that were submitted, and in all. */
  onProgress?: (done: number, total: number) => void;
  /** Stops after the batch at hand; what was made is kept for the next run. */
  signal?: AbortSignal;
}

/** Longest time between two writes, ms: what a crash may cost. */
const WRITE_MS = 15_000;

/** Lengths of runs of images of one size. */
function* runsOf(images: readonly RgbImage[]): Generator<readonly RgbImage[]> {
  for (let from = 0; from < images.length;) {
    const { width, height } = images[from]!;
    let to = from + 1;
    while (to < images.length && images[to]!.width === width && images[to]!.height === height) to++;
    yield images.slice(from, to);
    from = to;
  }
}

/** Pixels of images of one size, one behind the other. */
function joined(images: readonly RgbImage[]): Uint8Array {
  const size = images[0]!.data.length;
  const out = new Uint8Array(size * images.length);
  images.forEach(({ data }, i) => out.set(data, i * size));
  return out;
}

/**
 * Embeds what the writer does not have yet.
 *
 * @returns Whether the output is finished; false if the signal stopped it.
 * @throws {FormatError | DataError} If an image cannot be read or used.
 * @throws {NumericsError} If an embedding is not finite.
 */
export async function embedInput(
  embedder: Embedder,
  input: EmbedInput,
  writer: FeatureWriter,
  options: EmbedRunOptions = {},
): Promise<boolean> {
  const { onProgress, signal } = options;
  const { batchSize } = embedder;
  const read = (from: number) => {
    const images = input.read(from, Math.min(input.count, from + batchSize));
    // It is awaited a batch later; an error until then is not lost.
    images.catch(() => {});
    return images;
  };
  let row = writer.rows;
  let written = performance.now();
  let next = row < input.count ? read(row) : undefined;
  while (next && !signal?.aborted) {
    const images = await next;
    row += images.length;
    next = row < input.count ? read(row) : undefined;
    for (const run of runsOf(images)) {
      if (embedder.full) writer.append(await embedder.flush());
      await embedder.submit(joined(run), run[0]!.height, run[0]!.width);
    }
    if (performance.now() - written > WRITE_MS) {
      writer.append(await embedder.flush());
      written = performance.now();
    }
    onProgress?.(row, input.count);
  }
  // An image of the last read that is not used any more.
  await next?.catch(() => {});
  if (embedder.waiting) writer.append(await embedder.flush());
  if (writer.rows < input.count) return false;
  await writer.finish();
  return true;
}
