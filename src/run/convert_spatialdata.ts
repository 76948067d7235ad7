/**
 * Samples of a folder in HEST's layout as stores of SpatialData, one folder each.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import type { Reporter } from "../core/reporter.ts";
import { samplePaths } from "../data/convert/convert_sample.ts";
import { writeSpatialData } from "../data/convert/spatialdata_write.ts";
import type { SampleFiles } from "../data/data_folder.ts";
import { openSlide } from "../data/image/slide.ts";
import { Sha256 } from "../host/zlib.ts";
import { randomAccess, readBytes } from "../io/disk.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { parseGeoJson } from "../io/geojson.ts";
import { openAnndata } from "../io/anndata.ts";
import type { Metadata } from "../io/metadata.ts";
import { contentHash } from "./content_hash.ts";
import { checkConvertFolder, ConvertFolder } from "./convert_folder.ts";
import { checkOut } from "./convert_section.ts";
import { namedSamples } from "./named_samples.ts";

/** What is written. */
export interface SpatialDataRequest {
  /** A folder in HEST's layout. */
  readonly data: string;
  /** Samples by name; all if there are none. */
  readonly samples: readonly string[];
  readonly out: string;
  readonly overwrite: boolean;
  /** Settings as the folder's record keeps them. */
  readonly settings: Facts;
}

/** A store that was written. */
export interface SpatialStore {
  readonly id: string;
  readonly spots: number;
  readonly genes: number;
  /** Levels of the image; 0 where the sample has no slide. */
  readonly levels: number;
  /** Outlines of tissue. */
  readonly outlines: number;
}

/** A sample's parts. */
interface Parts {
  readonly files: SampleFiles;
  readonly metadata: Metadata;
  readonly slide: string | undefined;
  readonly tissue: string | undefined;
}

/** Files that say whether a store is there; the last is written last. */
function storePaths(id: string): readonly string[] {
  return [`${id}.zarr/.zattrs`, `${id}.zarr/.zgroup`, `${id}.zarr/.zmetadata`];
}

/**
 * Writes samples, those that are not finished.
 *
 * @throws {ConfigError} If a sample is not there, or the folder of the output holds what is not to be replaced.
 * @throws {DataError | FormatError} If a sample lacks its metadata, or a file cannot be read.
 */
export async function convertToSpatialData(request: SpatialDataRequest, reporter: Reporter): Promise<SpatialStore[]> {
  const { data, out, overwrite, settings } = request;
  const parts = namedSamples(data, request.samples).map(partsOf);
  checkOut(out, [], data);
  const places = { out, paths: storePaths };
  const ids = parts.map(({ files }) => files.id);
  checkConvertFolder(places, ids, overwrite);
  const samples: { id: string; input: string }[] = [];
  for (const { files, slide, tissue, metadata } of parts) {
    const content = await contentHash([files.expression, slide, tissue].filter((path) => path !== undefined));
    const hash = new Sha256().update(new TextEncoder().encode(content + JSON.stringify([...metadata.values])));
    samples.push({ id: files.id, input: hash.hex() });
  }
  const opening = { ...places, what: "spatialdata", samples, settings, overwrite, needed: storePaths };
  using folder = ConvertFolder.open<SpatialStore>(opening);
  const done: SpatialStore[] = [];
  for (const part of parts) {
    const { id } = part.files;
    const told = ({ spots, genes, levels }: SpatialStore) =>
      `${id}: ${spots} spots, ${genes} genes, ${levels} levels of the image`;
    done.push(await folder.convert(id, reporter, () => writeOne(part, `${out}/${id}.zarr`, reporter), told));
  }
  return done;
}

function partsOf(files: SampleFiles): Parts {
  const { id, folder, metadata } = files;
  const paths = samplePaths(id);
  if (metadata === undefined) {
    throw new DataError(`Cannot write ${id}: ${folder} has no ${paths.metadata}, one wanted`, {
      code: "file-missing",
      hint: "It says what size the slide's pixels are",
      context: { sample: id, folder, path: paths.metadata },
    });
  }
  const at = (path: string) => disk.look(`${folder}/${path}`)?.kind === "file" ? `${folder}/${path}` : undefined;
  return { files, metadata, slide: at(paths.wsi), tissue: at(paths.tissue) };
}

async function writeOne({ files, metadata, ...paths }: Parts, root: string, reporter: Reporter): Promise<SpatialStore> {
  const { id } = files;
  const table = await openAnndata(disk, files.expression);
  try {
    const slide = paths.slide === undefined ? undefined : await openSlide(randomAccess(disk.open(paths.slide, "read")));
    try {
      const tissue = paths.tissue === undefined ? undefined : parseGeoJson(readBytes(disk, paths.tissue), paths.tissue);
      const made = new Set<string>();
      const folderOf = (path: string): string => {
        const folder = `${root}/${path}`.replace(/\/[^/]*$/, "");
        if (!made.has(folder)) makeFolder(folder);
        made.add(folder);
        return `${root}/${path}`;
      };
      disk.remove(`${root}/.zmetadata`);
      const target = {
        put: (path: string, bytes: Uint8Array | string) => disk.write(folderOf(path), bytes),
        fill: (path: string, fill: Parameters<typeof disk.writeAnywhere>[1]) =>
          disk.writeAnywhere(folderOf(path), fill),
      };
      const spotDiameter = (metadata.number("spot_diameter") ?? 55) / metadata.pixelSize;
      await writeSpatialData(
        root,
        target,
        { table, metadata, slide, tissue, spotDiameter },
        (share) => reporter.update(`${id}: image`, Math.round(100 * share), 100, "steps"),
      );
      const { obs, var: genes } = table;
      const { length: levels } = slide?.levels ?? [];
      return { id, spots: obs.index.length, genes: genes.index.length, levels, outlines: tissue?.length ?? 0 };
    } finally {
      slide?.close();
    }
  } finally {
    table.close();
  }
}
