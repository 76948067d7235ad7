/**
 * A store of SpatialData to the layout of HEST.
 *
 * @module
 */

import type { Reporter } from "../core/reporter.ts";
import { type Converted, writeSample } from "../data/convert/convert_sample.ts";
import { readStoreSample } from "../data/convert/spatialdata_read.ts";
import { disk } from "../io/fs.ts";
import { ZarrFolder } from "../io/zarr/zarr.ts";
import { checkSections, convertSections, makeFolders, optionsOf, type SectionOptions } from "./convert_section.ts";

/** What is converted. */
export interface ZarrRequest {
  readonly store: string;
  /** Identifier; after the store if not given. */
  readonly id: string | undefined;
  /** µm a pixel, where the store does not say. */
  readonly pixelSize: number | undefined;
}

/**
 * Converts a store.
 *
 * @throws {ConfigError} If the folder of the output holds what is not to be replaced, or lies in the input.
 * @throws {DataError | FormatError} If the store lacks an image or a table, or cannot be read.
 */
export async function convertZarr(
  { store: given, id: named, pixelSize }: ZarrRequest,
  options: SectionOptions,
  reporter: Reporter,
): Promise<Converted> {
  const id = named ?? given.replace(/^.*[/\\]/, "").replace(/\.zarr$/, "").replace(/[^A-Za-z0-9]+/g, "-");
  const sections = [{ id, inputs: [given] }];
  const store = new ZarrFolder(disk, given);
  if (store.kind() !== "group") {
    throw store.fail("", "has no zarr.json or .zgroup of a group", "a store of SpatialData");
  }
  checkSections(sections, options, given);
  const convertOne = async () => {
    const { image, sample, pitch, spot, close } = await readStoreSample(store, { id, pixelSize, pitch: options.pitch });
    try {
      makeFolders(id, options);
      const own = optionsOf(id, options, { pitch: pitch ?? 100, spot: spot ?? 55 }, reporter);
      return await writeSample(disk, options.out, image.slide, sample, own);
    } finally {
      close();
    }
  };
  const [converted] = await convertSections("zarr", sections, options, convertOne, reporter);
  return converted!;
}
