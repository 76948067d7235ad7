/**
 * A store of SpatialData, or a table of anndata in zarr and its slide, to the layout of HEST.
 *
 * @module
 */

import type { Reporter } from "../core/reporter.ts";
import { type Converted, writeSample } from "../data/convert/convert_sample.ts";
import { readStoreSample } from "../data/convert/spatialdata_read.ts";
import { openSlide } from "../data/image/slide.ts";
import { disk, openFile } from "../io/fs.ts";
import { ZarrFolder } from "../io/zarr/zarr.ts";
import { checkSections, convertSections, makeFolders, optionsOf, type SectionOptions } from "./convert_section.ts";

/** What is converted. */
export interface ZarrRequest {
  readonly store: string;
  /** Identifier; after the store if not given. */
  readonly id: string | undefined;
  /** µm a pixel, where the store does not say. */
  readonly pixelSize: number | undefined;
  /** The slide, of a table that has none beside it. */
  readonly image?: string | undefined;
}

/**
 * Converts a store.
 *
 * @throws {ConfigError} If the folder of the output holds what is not to be replaced, or lies in the input.
 * @throws {DataError | FormatError} If the store lacks an image or a table, or cannot be read.
 */
export async function convertZarr(
  { store: given, id: named, pixelSize, image: file }: ZarrRequest,
  options: SectionOptions,
  reporter: Reporter,
): Promise<Converted> {
  const id = named ?? given.replace(/^.*[/\\]/, "").replace(/\.zarr$/, "").replace(/[^A-Za-z0-9]+/g, "-");
  const sections = [{ id, inputs: file === undefined ? [given] : [given, file] }];
  const store = new ZarrFolder(disk, given);
  if (store.kind() !== "group") {
    throw store.fail("", "has no zarr.json or .zgroup of a group", "a store of SpatialData, or a table of anndata");
  }
  checkSections(sections, options, given);
  const convertOne = async () => {
    const slide = file === undefined ? undefined : await openSlide(await openFile(file));
    const choice = { id, pixelSize, pitch: options.pitch, slide };
    const { image, sample, pitch, spot, close } = await readStoreSample(store, choice);
    try {
      makeFolders(id, options);
      const own = optionsOf(id, options, { pitch: pitch ?? 100, spot: spot ?? 55 }, reporter);
      return await writeSample(disk, options.out, image.slide, sample, own);
    } finally {
      close();
      slide?.close();
    }
  };
  const [converted] = await convertSections("zarr", sections, options, convertOne, reporter);
  return converted!;
}
