/**
 * An output bundle of Xenium to HEST's layout.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import type { Reporter } from "../core/reporter.ts";
import { type ConvertedXenium, convertXenium, xeniumPaths } from "../data/convert/xenium_convert.ts";
import { readBytes } from "../io/disk.ts";
import { decodeText } from "../io/csv.ts";
import { disk, makeFolder, openFile } from "../io/fs.ts";
import type { RandomAccess } from "../io/random_access.ts";
import { openTenx, type TenxFile } from "../io/tenx_h5.ts";
import { findFile } from "../io/tenx_spatial.ts";
import { readExperiment } from "../io/xenium.ts";
import { readHeAlignment } from "../io/xenium_alignment.ts";
import {
  checkSections,
  convertSections,
  makeFolders,
  nameOfFolder,
  optionsOf,
  type SectionOptions,
} from "./convert_section.ts";

/** Side of the squares that transcripts are pooled to, as HEST does, µm. */
const SIDE = 100;
/** Least quality of a transcript, as the vendor counts. */
export const QUALITY = 20;

/** What is converted. */
export interface XeniumRequest {
  /** The bundle. */
  readonly folder: string;
  /** The H&E image and its alignment; found in the bundle if not given. */
  readonly image?: string | undefined;
  readonly alignment?: string | undefined;
  /** Identifier; after the folder if not given. */
  readonly id?: string | undefined;
  /** Least quality of a transcript that counts. */
  readonly quality: number;
}

/** Files of a bundle. */
interface Bundle {
  readonly experiment: string;
  readonly transcripts: string;
  readonly counts: string | undefined;
  readonly cells: string | undefined;
  readonly cell: string | undefined;
  readonly nucleus: string | undefined;
  readonly image: string;
  readonly alignment: string;
}

/**
 * Converts a bundle.
 *
 * @throws {ConfigError} If what is asked for cannot be told, or the folder of the output holds what is not to be replaced.
 * @throws {DataError | FormatError} If files are missing, or cannot be read.
 */
export async function convertXeniumBundle(
  request: XeniumRequest,
  options: SectionOptions,
  reporter: Reporter,
): Promise<ConvertedXenium> {
  const { folder, quality } = request;
  const found = findBundle(request);
  const id = request.id ?? nameOfFolder(folder);
  const inputs = Object.values(found).filter((path) => path !== undefined);
  const sections = [{ id, inputs }];
  checkSections(sections, options, folder);
  // Small and quickly read, unlike the transcripts and the slide, whose content is looked at next.
  const experiment = readExperiment(readBytes(disk, found.experiment), found.experiment);
  const alignment = readHeAlignment(decodeText(readBytes(disk, found.alignment), found.alignment), found.alignment);
  const convertOne = async () => {
    const opened: (RandomAccess | TenxFile)[] = [];
    const open = async (path: string | undefined) => {
      if (path === undefined) return undefined;
      const file = await openFile(path);
      opened.push(file);
      return file;
    };
    try {
      const counts = found.counts === undefined ? undefined : await openTenx(disk.open(found.counts, "read"));
      if (counts !== undefined) opened.push(counts);
      const sources = {
        ...{ experiment, alignment, counts },
        transcripts: (await open(found.transcripts))!,
        image: (await open(found.image))!,
        cells: await open(found.cells),
        outlines: { cell: await open(found.cell), nucleus: await open(found.nucleus) },
      };
      makeFolders(id, options);
      for (const path of Object.values(xeniumPaths(id))) makeFolder(`${options.out}/${path.replace(/[^/]*$/, "")}`);
      const own = optionsOf(id, options, { pitch: SIDE, spot: SIDE }, reporter);
      return await convertXenium(disk, options.out, sources, { ...own, quality });
    } finally {
      for (const file of opened) file.close?.();
    }
  };
  const [converted] = await convertSections("xenium", sections, options, convertOne, reporter);
  return converted as ConvertedXenium;
}

/** Finds the files of a bundle, whose names may have a prefix. @throws {DataError | ConfigError} If one that is needed is missing. */
function findBundle({ folder, image, alignment }: XeniumRequest): Bundle {
  const entry = disk.look(folder);
  if (entry?.kind !== "folder") {
    throw new DataError(`Cannot convert ${folder}: no folder, an output bundle of Xenium wanted`, {
      code: "file-missing",
      context: { folder },
    });
  }
  const { names } = entry;
  const at = (name: string | undefined) => name === undefined ? undefined : `${folder}/${name}`;
  const one = (name: string) => at(findFile(names, [name]));
  const needed = (name: string): string => {
    const path = one(name);
    if (path !== undefined) return path;
    const bundle = names.some((other) => /transcripts\.zarr(\.zip)?$|transcripts\.csv(\.gz)?$/.test(other));
    throw new DataError(`Cannot convert ${folder}: it has no ${name}, one wanted`, {
      code: "file-missing",
      hint: bundle
        ? "Copy transcripts.parquet from the bundle too: all releases write it beside zarr and CSV"
        : "Give the folder that Xenium Onboard Analysis or xeniumranger wrote",
      context: { folder, found: names.slice(0, 20) },
    });
  };
  const found = {
    experiment: needed("experiment.xenium"),
    transcripts: needed("transcripts.parquet"),
    counts: one("cell_feature_matrix.h5"),
    cells: one("cells.parquet"),
    cell: one("cell_boundaries.parquet"),
    nucleus: one("nucleus_boundaries.parquet"),
  };
  return {
    ...found,
    image: image ??
      chosen(folder, names, /he[_-]?image.*\.(?:tiff?|jpe?g|png|svs)$|_he\.ome\.tiff?$/i, "--image", "H&E image"),
    alignment: alignment ??
      chosen(
        folder,
        names,
        /(?:alignment|key_?points|landmarks).*\.csv$/i,
        "--alignment",
        "alignment of the H&E image",
      ),
  };
}

function chosen(folder: string, names: readonly string[], pattern: RegExp, flag: string, what: string): string {
  const found = names.filter((name) => pattern.test(name));
  if (found.length === 1) return `${folder}/${found[0]}`;
  const text = found.length === 0 ? `no ${what}` : `${found.join(", ")}`;
  throw new ConfigError(`Cannot convert ${folder}: it has ${text}, one ${what} wanted`, {
    hint: flag === "--alignment"
      ? "Pass --alignment FILE: the matrix that Xenium Explorer exports (…_imagealignment.csv), or its key points"
      : `Pass ${flag} FILE`,
    context: { folder, found },
  });
}
