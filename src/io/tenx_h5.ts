/**
 * Feature-barcode matrices of 10x Genomics in HDF5, versions 2 and 3: features by barcodes compressed by barcodes, which is
 * spots by genes compressed by rows.
 *
 * Source: https://www.10xgenomics.com/support/software/space-ranger/latest/analysis/outputs/feature-barcode-matrix-h5
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { H5File } from "./hdf5/h5.ts";
import type { H5Storage } from "./hdf5/h5_library.ts";
import { compressedMatrix } from "./hdf5/h5_matrix.ts";
import { Names } from "./names.ts";
import type { Matrix } from "./sparse.ts";

/** Counts of barcodes and what they are counted of. */
export interface FeatureCounts {
  readonly barcodes: Names;
  /** Names of the features, which need not be unique. */
  readonly names: readonly string[];
  /** Identifiers of the features: Ensembl's for genes. */
  readonly ids: readonly string[];
  /** Kinds of the features, `Gene Expression` for genes; version 2 has genes only. */
  readonly types: readonly string[];
  /** Barcodes by features. */
  readonly counts: Matrix;
}

/** Counts in an open file. */
export interface TenxFile extends FeatureCounts {
  /** Closes the file. */
  close(): void;
  /** Closes the file. */
  [Symbol.dispose](): void;
}

/** Kind of genes. */
export const GENES = "Gene Expression";

/**
 * Opens a file.
 *
 * @param source A file of the host, or bytes by range; closing the result closes it.
 * @param genome Which genome's counts: files of version 2 with several want one, of version 3 all genes count without.
 * @throws {FormatError} If it is damaged or its parts disagree.
 * @throws {DataError} If it has counts of several genomes and none, or one it lacks, is named.
 */
export async function openTenx(source: H5Storage, genome?: string): Promise<TenxFile> {
  const file = await H5File.open(source);
  try {
    const counts = file.kind("/matrix") === "group" ? versionThree(file, genome) : versionTwo(file, genome);
    return { ...counts, close: () => file.close(), [Symbol.dispose]: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

function versionThree(file: H5File, genome: string | undefined): FeatureCounts {
  const features = "/matrix/features";
  if (file.kind(features) !== "group") throw file.fail(features, "nothing", "names of features");
  const names = file.strings(`${features}/name`);
  const ids = file.strings(`${features}/id`);
  const types = file.kind(`${features}/feature_type`) === "dataset"
    ? file.strings(`${features}/feature_type`)
    : names.map(() => GENES);
  if (genome === undefined) return withMatrix(file, "/matrix", { names, ids, types });
  const genomes = file.kind(`${features}/genome`) === "dataset" ? file.strings(`${features}/genome`) : [];
  if (!genomes.includes(genome) || genomes.length !== names.length) throw unknownGenome(file, [...new Set(genomes)]);
  const own = types.map((type, j) => genomes[j] === genome ? type : `${type} of ${genomes[j]}`);
  return withMatrix(file, "/matrix", { names, ids, types: own });
}

function unknownGenome(file: H5File, genomes: readonly string[]): DataError {
  const named = genomes.filter((name) => name !== "");
  return new DataError(
    `Cannot read counts of ${file.name}: it has the genomes ${named.join(", ") || "none by name"}, one is wanted`,
    {
      hint: named.length > 0 ? `Pass --genome ${named.join(" or --genome ")}` : "Leave out --genome",
      context: { file: file.name, found: named, expected: "one genome" },
    },
  );
}

function versionTwo(file: H5File, genome: string | undefined): FeatureCounts {
  const genomes = file.keys().filter((key) => file.kind(`/${key}/gene_names`) === "dataset");
  if (genomes.length === 0) {
    throw file.fail("/", file.keys().join(", ") || "nothing", "a group matrix, or one named after a genome");
  }
  const chosen = genome ?? genomes[0]!;
  if (!genomes.includes(chosen) || (genome === undefined && genomes.length > 1)) {
    throw unknownGenome(file, genomes);
  }
  const names = file.strings(`/${chosen}/gene_names`);
  const ids = file.strings(`/${chosen}/genes`);
  return withMatrix(file, `/${chosen}`, { names, ids, types: names.map(() => GENES) });
}

function withMatrix(
  file: H5File,
  path: string,
  features: Pick<FeatureCounts, "names" | "ids" | "types">,
): FeatureCounts {
  const barcodes = namesOf(file, `${path}/barcodes`);
  const shape = [...file.numbers(`${path}/shape`)];
  const columns = features.names.length;
  for (const [label, list] of [["id", features.ids], ["feature_type", features.types]] as const) {
    if (list.length !== columns) throw file.fail(`${path} ${label}`, `${list.length} features`, `${columns}`);
  }
  if (shape.length !== 2 || shape[0] !== columns || shape[1] !== barcodes.length) {
    const expected = `${columns}x${barcodes.length}, features by barcodes`;
    throw file.fail(`${path}/shape`, shape.join("x"), expected);
  }
  const counts = compressedMatrix(file, { path, rows: barcodes.length, columns, layout: "csr" });
  return { barcodes, ...features, counts };
}

/** Texts that are read at once. */
const TEXTS = 1 << 16;

function namesOf(file: H5File, path: string): Names {
  const names = new Names();
  const count = file.info(path).shape?.[0] ?? 0;
  for (let from = 0; from < count; from += TEXTS) {
    for (const name of file.strings(path, from, Math.min(count, from + TEXTS))) names.add(name);
  }
  return names;
}
