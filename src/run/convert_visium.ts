/**
 * Output of Space Ranger, of Visium or Visium HD, to the layout of HEST.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Reporter } from "../core/reporter.ts";
import type { Converted } from "../data/convert/convert_sample.ts";
import { convertVisium, type VisiumSources } from "../data/convert/visium_convert.ts";
import { findVisium, SLIDE_ENDINGS, type VisiumFolder } from "../data/convert/visium_folder.ts";
import { disk, openFile, openFolder } from "../io/fs.ts";
import { readMex } from "../io/mtx.ts";
import type { RandomAccess } from "../io/random_access.ts";
import { openTenx, type TenxFile } from "../io/tenx_h5.ts";
import { readTenxSpatial } from "../io/tenx_spatial.ts";
import {
  checkSections,
  convertSections,
  makeFolders,
  nameOfFolder,
  optionsOf,
  type SectionOptions,
} from "./convert_section.ts";

/** Side of the squares that bins of Visium HD are pooled to, as HEST does, µm. */
const HD_SIDE = 128;

/** What is converted. */
export interface VisiumRequest {
  /** Output of Space Ranger. */
  readonly folder: string;
  /** Counts, an .h5 file or a folder of matrix.mtx; found in the folder if not given. */
  readonly counts?: string | undefined;
  /** Whose genes, of counts of two genomes. */
  readonly genome?: string | undefined;
  /** The slide; the folder's only image if not given. */
  readonly image?: string | undefined;
  /** Identifier; after the folder if not given. */
  readonly id?: string | undefined;
  /** Leaves out spots that Space Ranger does not call under tissue. */
  readonly underTissue: boolean;
}

/**
 * Converts a folder of Space Ranger.
 *
 * @throws {ConfigError} If what is asked for cannot be told, or the folder of the output holds what is not to be replaced.
 * @throws {DataError | FormatError} If files are missing, or cannot be read.
 */
export async function convertVisiumFolder(
  request: VisiumRequest,
  options: SectionOptions,
  reporter: Reporter,
): Promise<Converted> {
  const { folder, genome } = request;
  const found = findVisium(disk, folder, options.pitch ?? HD_SIDE, request.counts);
  if (genome !== undefined && found.counts.kind !== "h5") {
    throw new ConfigError(
      `Cannot choose genome ${genome}: ${found.counts.path} holds text, which names no genomes`,
      {
        hint: "Pass --counts with an .h5 file, or with the folder of that genome",
        context: { given: genome, path: found.counts.path },
      },
    );
  }
  const image = request.image ?? imageOf(folder, found);
  const id = request.id ?? nameOfFolder(folder);
  const sections = [{ id, inputs: [found.counts.path, found.spatial, image] }];
  checkSections(sections, options, folder);
  (await openFile(image)).close?.();
  // Quickly read, unlike the slide, whose content is looked at next.
  const places = await placesOf(found.spatial);
  const convertOne = () => convert(found, places, image, id, request, options, reporter);
  const [converted] = await convertSections("visium", sections, options, convertOne, reporter);
  return converted!;
}

/** Places to be taken once. In a function of its own: one that waits for the conversion would keep them until it ends. */
async function placesOf(folder: string): Promise<Pick<VisiumSources, "scale" | "takeSpots">> {
  const { scale, spots } = await readTenxSpatial(openFolder(folder));
  const held = [spots];
  return { scale, takeSpots: () => held.pop()! };
}

async function convert(
  found: VisiumFolder,
  places: Pick<VisiumSources, "scale" | "takeSpots">,
  image: string,
  id: string,
  { genome, underTissue }: VisiumRequest,
  options: SectionOptions,
  reporter: Reporter,
): Promise<Converted> {
  const opened: (RandomAccess | TenxFile)[] = [];
  const open = async <T extends RandomAccess | TenxFile>(what: Promise<T>): Promise<T> => {
    opened.push(await what);
    return await what;
  };
  try {
    const { kind, path, raw } = found.counts;
    const counts = kind === "h5"
      ? await open(openTenx(disk.open(path, "read"), genome))
      : await readMex(openFolder(path));
    const lattice = places.scale?.binSize === undefined ? { pitch: 100, spot: 55 } : { pitch: HD_SIDE, spot: HD_SIDE };
    const sources = {
      counts,
      ...places,
      image: await open(openFile(image)),
      hires: found.small.hires === undefined ? undefined : await open(openFile(found.small.hires)),
      lowres: found.small.hires !== undefined || found.small.lowres === undefined
        ? undefined
        : await open(openFile(found.small.lowres)),
    };
    makeFolders(id, options);
    const own = { ...optionsOf(id, options, lattice, reporter), underTissue: raw || underTissue };
    return await convertVisium(disk, options.out, sources, own);
  } finally {
    for (const file of opened) file.close?.();
  }
}

/** The slide where none was named: the only image of the folder, else Space Ranger's small one. */
function imageOf(folder: string, { images, small, spatial }: VisiumFolder): string {
  if (images.length === 1) return images[0]!;
  if (images.length === 0 && small.hires !== undefined) return small.hires;
  const context = { folder, found: images };
  if (images.length > 0) {
    throw new ConfigError(`Cannot convert ${folder}: it has the images ${images.join(", ")}, one slide wanted`, {
      hint: `Pass --image with the slide in full resolution, such as --image ${images[0]}`,
      context,
    });
  }
  throw new ConfigError(
    `Cannot convert ${folder}: no image in it (*${SLIDE_ENDINGS.join(", *")}), nor ${spatial}/tissue_hires_image.png`,
    {
      hint: "Pass --image FILE, the slide that Space Ranger was given: TIFF, SVS, JPEG or PNG in full resolution; " +
        "patches of a small image are blurred, and taken with --coarse",
      context,
    },
  );
}
