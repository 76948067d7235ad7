/**
 * Features of the synthetic data set that need no encoder: the true fields, which bound what any encoder can reach, and plain
 * colour statistics, which any encoder should beat.
 *
 * The six visible fields bound every image model, all eight bound everything; colour statistics are 54 numbers a patch. Beside
 * the mean over the panel stands that over the genes of visible programs.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { ReadDisk, SampleFiles } from "../data/data_folder.ts";
import { colourStatistics } from "../data/synth/oracle.ts";
import { H5File } from "../io/hdf5/h5.ts";
import { openAnndata } from "../io/anndata.ts";
import { openPatches } from "../io/patches.ts";
import type { SampleFeatures } from "./bench/bench_sample.ts";
import type { GeneScore } from "./scores.ts";
import { mean } from "./linalg/statistics.ts";

/** Names of such features, as an encoder is named, with what they are. */
export const SYNTHETIC: Readonly<Record<string, { readonly what: string; readonly fields?: number }>> = {
  "oracle:all": { what: "all 8 fields: the bound of everything", fields: 8 },
  "oracle:visible": { what: "6 visible fields: the bound of image models", fields: 6 },
  "colour": { what: "colour statistics of the patches, 54 numbers" },
};

/** Patches read at once. */
const BATCH = 64;

/**
 * Features of a sample, a row a patch.
 *
 * @param name Of {@linkcode SYNTHETIC}.
 * @throws {DataError} If the sample has no patches, or its truth is not there.
 */
export async function syntheticFeatures(disk: ReadDisk, name: string, files: SampleFiles): Promise<SampleFeatures> {
  if (files.patches === undefined) {
    throw new DataError(`Cannot make ${name} of ${files.id}: it has no patches`, { context: { sample: files.id } });
  }
  const patches = await openPatches(disk.open(files.patches, "read"));
  try {
    const { barcodes, count, width, height } = patches;
    const fields = SYNTHETIC[name]?.fields;
    if (barcodes === undefined || width !== height) {
      throw new DataError(`Cannot make ${name} of ${files.id}: squares with a barcode each are wanted`);
    }
    if (fields !== undefined) return await trueFields(disk, files, barcodes, fields);
    const data = new Float64Array(count * 54);
    const bytes = width * height * 3;
    for (let from = 0; from < count; from += BATCH) {
      const pixels = patches.read(from, Math.min(count, from + BATCH));
      for (let i = 0; i * bytes < pixels.length; i++) {
        data.set(colourStatistics(pixels.subarray(i * bytes, (i + 1) * bytes), width), (from + i) * 54);
      }
    }
    return { barcodes, features: { rows: count, columns: 54, data } };
  } finally {
    patches.close();
  }
}

async function trueFields(
  disk: ReadDisk,
  { id, folder, expression }: SampleFiles,
  barcodes: readonly string[],
  count: number,
): Promise<SampleFeatures> {
  const path = [`${folder}/truth/${id}.h5`, `${folder}/../truth/${id}.h5`].find((at) => disk.look(at)?.kind === "file");
  if (path === undefined) {
    throw new DataError(`Cannot make an oracle of ${id}: ${folder} has no truth/${id}.h5`, {
      hint: "Only data sets that synth wrote have one",
      context: { sample: id, folder },
    });
  }
  const table = await openAnndata(disk, expression, ["obs", "var"]);
  const place = new Map(table.obs.index.map((name, row) => [name, row]));
  table.close();
  const truth = await H5File.open(disk.open(path, "read"));
  try {
    const fields = truth.numbers("/F");
    const width = fields.length / place.size;
    const data = Float64Array.from(
      { length: barcodes.length * count },
      (_, at) => fields[place.get(barcodes[Math.floor(at / count)]!)! * width + at % count]!,
    );
    return { barcodes, features: { rows: barcodes.length, columns: count, data } };
  } finally {
    truth.close();
  }
}

/** Mean over the genes of visible programs; undefined where a panel has none, which is not of synthetic data then. */
export function visiblePearson(genes: readonly GeneScore[]): number | undefined {
  const visible = genes.filter(({ gene }) => /^SYNV\d/.test(gene));
  return visible.length === 0 ? undefined : mean(visible.map(({ pearson }) => pearson ?? 0));
}
