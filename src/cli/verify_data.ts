/**
 * `verify --data`: a user's own images and number of genes in the plans that are proved.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { findSamples } from "../data/data_folder.ts";
import { findInputs, openInput } from "../embed/inputs.ts";
import { disk } from "../io/fs.ts";
import { openAnndata } from "../io/anndata.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import type { Images } from "../verify/plans.ts";

/** Images that are read. */
const MOST = 64;

/** What was found in the data. */
export interface OwnData {
  readonly images: Images;
  /** Side of an image, px; undefined where they are not square. */
  readonly side: number | undefined;
  /** Genes of the first sample; undefined where only images were given. */
  readonly genes: number | undefined;
}

/** Pixels of an image, the nearest ones where another size is wanted. */
function nearest({ width, height, data }: RgbImage, side: number, to: Uint8Array): void {
  for (let y = 0; y < side; y++) {
    const row = Math.floor((y + 0.5) * height / side) * width;
    for (let x = 0; x < side; x++) {
      const at = 3 * (row + Math.floor((x + 0.5) * width / side));
      to.set(data.subarray(at, at + 3), 3 * (y * side + x));
    }
  }
}

/** Images from images, over and over where more are wanted. */
export function imagesFrom(images: readonly RgbImage[]): Images {
  return (count, side) => {
    const size = side * side * 3;
    const bytes = new Uint8Array(count * size);
    for (let i = 0; i < count; i++) {
      nearest(images[i % images.length]!, side, bytes.subarray(i * size, (i + 1) * size));
    }
    return bytes;
  };
}

/**
 * Reads the first images of a patch file, a HEST folder or images, and how many genes the folder's first sample has.
 *
 * @throws {DataError | FormatError} If there are none, or a file is damaged.
 */
export async function readOwnData(path: string): Promise<OwnData> {
  const [first] = findInputs(disk, [path]);
  const input = await openInput(disk, first!);
  let images: RgbImage[];
  try {
    images = await input.read(0, Math.min(MOST, input.count));
  } finally {
    input.close();
  }
  if (images.length === 0) {
    throw new DataError(`Cannot verify with ${path}: it has no images, wanted one at least`, { context: { path } });
  }
  const [width, height] = input.size ?? [0, 1];
  const entry = disk.look(path);
  let genes: number | undefined;
  if (entry?.kind === "folder" && (entry.names.includes("st") || entry.names.includes("adata"))) {
    using table = await openAnndata(disk, findSamples(disk, [path])[0]!.expression);
    genes = table.var.index.length;
  }
  return { images: imagesFrom(images), side: width === height ? width : undefined, genes };
}
