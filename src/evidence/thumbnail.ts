/**
 * The small image of a slide that HEST keeps beside a sample, in `thumbnails/` or in the sample's `.h5ad`, with its scale.
 *
 * @module
 */

import type { SampleFiles } from "../data/data_folder.ts";
import type { TrainingSample } from "../data/training_set.ts";
import { type Disk, readBytes } from "../io/disk.ts";
import { openAnndata } from "../io/anndata.ts";
import type { UnsArray, UnsTree, UnsValue } from "../io/hdf5/h5ad_uns.ts";
import { decodeImage } from "../io/image/image.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import type { Thumbnail } from "../report/run_evidence.ts";

/** Images of an `.h5ad`, the best first, with the names of their scales. */
const IMAGES = ["downscaled_fullres", "hires", "lowres"] as const;
/** Longest side, pixels: what is larger is no small image. */
const MOST = 8000;
/** Share of the spots that must lie on the image. */
const ON_IMAGE = 0.95;

type ReadDisk = Pick<Disk, "look" | "open">;

/** An image, or why there is none; and the diameter of a spot in level-0 pixels, where it is known. */
export interface FoundThumbnail {
  readonly thumbnail?: Thumbnail;
  readonly reason?: string;
  readonly spotDiameter?: number;
}

/** What is known of a sample whose image is looked for. */
export interface ThumbnailSample extends Pick<TrainingSample, "id" | "count" | "spatial"> {
  readonly files: Pick<SampleFiles, "folder" | "expression" | "metadata">;
}

/** Looks for the image of a sample. */
export async function findThumbnail(sample: ThumbnailSample, disk: ReadDisk): Promise<FoundThumbnail> {
  const inside = await fromExpression(sample, disk);
  const diameter = inside.spotDiameter ?? diameterOf(sample);
  const rest = diameter === undefined ? {} : { spotDiameter: diameter };
  const beside = imageBeside(sample, disk);
  const width = sample.files.metadata?.number("fullres_px_width");
  const scale = beside && width ? beside.width / width : inside.thumbnail?.scale;
  const found = beside && scale !== undefined ? { image: beside, scale } : inside.thumbnail;
  if (found === undefined) {
    const why = beside ? "the scale of its thumbnail is not known" : "there is no image of the slide";
    return { ...rest, reason: inside.reason ?? why };
  }
  const on = shareOn(sample, found);
  if (on >= ON_IMAGE) return { ...rest, thumbnail: found };
  return { ...rest, reason: `only ${Math.round(100 * on)} % of the spots lie on its image` };
}

function diameterOf({ files: { metadata } }: ThumbnailSample): number | undefined {
  const [spot, pixel] = [metadata?.number("spot_diameter"), metadata?.number("pixel_size_um_estimated")];
  return spot !== undefined && pixel !== undefined && spot > 0 && pixel > 0 ? spot / pixel : undefined;
}

function shareOn({ spatial, count }: ThumbnailSample, { image, scale }: Thumbnail): number {
  let on = 0;
  for (let i = 0; i < count; i++) {
    const [x, y] = [spatial.xy[2 * i]! * scale, spatial.xy[2 * i + 1]! * scale];
    if (x >= 0 && y >= 0 && x <= image.width && y <= image.height) on++;
  }
  return count > 0 ? on / count : 0;
}

/** An image in `thumbnails/`: HEST's name, else any that begins with the sample's. */
function imageBeside({ id, files: { folder } }: ThumbnailSample, disk: ReadDisk): RgbImage | undefined {
  const entry = disk.look(`${folder}/thumbnails`);
  if (entry?.kind !== "folder") return undefined;
  const fits = (name: string) =>
    name.startsWith(id) && /^[^\w-]|^_downscaled/.test(name.slice(id.length)) && /\.(jpe?g|png)$/i.test(name);
  const name = entry.names.find((one) => one.startsWith(`${id}_downscaled_fullres.`)) ?? entry.names.find(fits);
  if (name === undefined) return undefined;
  const path = `${folder}/thumbnails/${name}`;
  const { width, height, data } = decodeImage(readBytes(disk, path), path);
  return Math.max(width, height) <= MOST ? { width, height, data } : undefined;
}

async function fromExpression({ files }: ThumbnailSample, disk: ReadDisk): Promise<FoundThumbnail> {
  const file = await openAnndata(disk, files.expression, ["obs", "var", "uns/spatial"]);
  try {
    for (const slide of Object.values(treeOf(file.uns().spatial) ?? {})) {
      const [images, scales] = [treeOf(treeOf(slide)?.images), treeOf(treeOf(slide)?.scalefactors)];
      if (scales === undefined) continue;
      const diameter = scales.spot_diameter_fullres;
      const rest = typeof diameter === "number" && diameter > 0 ? { spotDiameter: diameter } : {};
      for (const name of IMAGES) {
        const scale = scales[`tissue_${name}_scalef`];
        const image = imageOf(images?.[name]);
        if (image && typeof scale === "number" && scale > 0) return { ...rest, thumbnail: { image, scale } };
      }
      return rest;
    }
    return {};
  } finally {
    file.close();
  }
}

function treeOf(value: UnsValue | undefined): UnsTree | undefined {
  return typeof value === "object" && value !== null && !("read" in value && "shape" in value)
    ? value as UnsTree
    : undefined;
}

/** An array `[height, width, 3 or 4]` of bytes, or of shares of 1 as Space Ranger's readers keep them. */
function imageOf(value: UnsValue | undefined): RgbImage | undefined {
  if (typeof value !== "object" || value === null || treeOf(value)) return undefined;
  const array = value as UnsArray;
  const { shape, dtype } = array;
  const [height = 0, width = 0, channels = 0] = shape;
  if (shape.length !== 3 || (channels !== 3 && channels !== 4) || !width || !height) return undefined;
  if (Math.max(width, height) > MOST || !["u1", "f4", "f8"].includes(dtype)) return undefined;
  const raw = array.read() as ArrayLike<number>;
  const factor = dtype === "u1" ? 1 : 255;
  const data = new Uint8ClampedArray(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[3 * i + c] = raw[i * channels + c]! * factor;
  }
  return { width, height, data: new Uint8Array(data.buffer) };
}
