/**
 * Writing HEST patch files, of today's generation and of 2024's, which the benchmark uses.
 *
 * @module
 */

import type { Disk } from "./disk.ts";
import { V1_PIXEL_SIZE } from "./patches.ts";
import { H5Writer } from "./hdf5/h5_write.ts";

/** A patch file to write. */
export interface NewPatches {
  readonly generation: "current" | "v1";
  /** Side of a patch in its own pixels. */
  readonly size: number;
  readonly barcodes: readonly string[];
  /** `[n, 2]` as the file is to have them: of today [x, y] of the top-left corner, of 2024 [y, x] of the centre. */
  readonly coords: BigInt64Array;
  /** Side of a patch on the slide, level-0 pixels, and µm a pixel of slide and patches. */
  readonly sizeOnSlide: number;
  readonly slidePixelSize: number;
  readonly pixelSize: number;
  /** Puts the RGB bytes `[size, size, 3]` of every patch, in any order. */
  pixels(put: (index: number, rgb: Uint8Array) => void): Promise<void> | void;
}

/** Writes a patch file, whole or not at all. */
export async function writePatches(
  disk: Pick<Disk, "writeSlowly">,
  path: string,
  patches: NewPatches,
): Promise<void> {
  const begin = await H5Writer.prepare();
  const { size, barcodes, coords, sizeOnSlide, slidePixelSize, pixelSize } = patches;
  const count = barcodes.length;
  const each = [size, size, 3];
  await disk.writeSlowly(path, async (file) => {
    const h5 = begin(file);
    h5.dataset("/img", "u1", [count, ...each], undefined, { chunks: [1, ...each] });
    await patches.pixels((index, rgb) => h5.rows("/img", index, each, rgb));
    h5.dataset("/coords", "i8", [count, 2], coords, { chunks: [1, 2], growing: true });
    h5.strings("/barcode", barcodes, [count, 1], { chunks: [1, 1], growing: true });
    if (patches.generation === "current") {
      h5.attribute("/img", "patch_size_src", sizeOnSlide);
      h5.attribute("/img", "patch_size_target", size);
      h5.attribute("/img", "downsample", pixelSize / slidePixelSize, "f8");
      h5.attribute("/img", "pixel_size", slidePixelSize, "f8");
    } else {
      h5.attribute("/img", "patch_size", sizeOnSlide);
      h5.attribute("/img", "factor", pixelSize / slidePixelSize, "f8");
      // Readers take 0.5 µm a pixel for granted; other patches say what the slide's pixels are.
      if (pixelSize !== V1_PIXEL_SIZE) h5.attribute("/img", "pixel_size", slidePixelSize, "f8");
    }
    h5.close();
  });
}
