/**
 * The samples of a data folder in the layout of HEST-1k (`st/`, `patches/`, `metadata/`) or of its benchmark (`adata/`,
 * `patches/`): which files belong to which sample.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { decodeText } from "../io/csv.ts";
import { type Disk, readBytes } from "../io/disk.ts";
import { type Metadata, parseCatalogue, parseMetadata } from "../io/metadata.ts";

/** One sample's files. */
export interface SampleFiles {
  readonly id: string;
  /** The data folder. */
  readonly folder: string;
  /** Path of the `.h5ad`, or of the folder `.zarr`. */
  readonly expression: string;
  /** Path of the patch file, if there is one. */
  readonly patches: string | undefined;
  /** What `metadata/{id}.json` or the catalogue says, if anything. */
  readonly metadata: Metadata | undefined;
}

/** Access to files, for reading. */
export type ReadDisk = Pick<Disk, "look" | "open">;

/** Names in a folder without the hidden ones; none where there is no folder. */
function namesIn(disk: ReadDisk, path: string): readonly string[] {
  const entry = disk.look(path);
  return entry?.kind === "folder" ? entry.names.filter((name) => !name.startsWith(".")) : [];
}

/** Records of the folder's catalogue (`HEST_v*.csv`), the last by name where there are several. */
function catalogueOf(disk: ReadDisk, folder: string): Map<string, Metadata> {
  const name = namesIn(disk, folder).filter((entry) => /^HEST_v.*\.csv$/i.test(entry)).at(-1);
  if (name === undefined) return new Map();
  const path = `${folder}/${name}`;
  const records = parseCatalogue(decodeText(readBytes(disk, path), path), path);
  return new Map(records.map((record) => [record.id, record]));
}

/**
 * Finds the samples of data folders, in the order of the folders and of names within each.
 *
 * @throws {DataError} If a folder has no samples, or two samples have one name.
 * @throws {FormatError} If metadata are damaged.
 */
export function findSamples(disk: ReadDisk, folders: readonly string[]): SampleFiles[] {
  const found = new Map<string, SampleFiles>();
  for (const given of folders) {
    const folder = given.replace(/[/\\]+$/, "");
    const place = ["st", "adata"].find((name) => namesIn(disk, `${folder}/${name}`).some(isExpression));
    if (place === undefined) throw noSamples(disk, folder);
    const catalogue = catalogueOf(disk, folder);
    for (const name of namesIn(disk, `${folder}/${place}`).filter(isExpression)) {
      const id = name.replace(EXPRESSION, "");
      const before = found.get(id);
      if (before !== undefined) {
        throw new DataError(`Cannot use two samples named ${id}: in ${before.folder} and in ${folder}, one wanted`, {
          code: "sample-twice",
          hint: "Leave one folder out, or rename the sample's files",
          context: { sample: id, folders: [before.folder, folder] },
        });
      }
      const patches = `${folder}/patches/${id}.h5`;
      const json = `${folder}/metadata/${id}.json`;
      found.set(id, {
        id,
        folder,
        expression: `${folder}/${place}/${name}`,
        patches: disk.look(patches)?.kind === "file" ? patches : undefined,
        metadata: disk.look(json)?.kind === "file" ? parseMetadata(readBytes(disk, json), json) : catalogue.get(id),
      });
    }
  }
  return [...found.values()];
}

/** Endings of tables of anndata: a file of HDF5, a folder of zarr. */
const EXPRESSION = /\.(?:h5ad|zarr)$/;

function isExpression(name: string): boolean {
  return EXPRESSION.test(name);
}

/** The table of a sample in a folder, if there is one. */
export function expressionOf(disk: ReadDisk, folder: string, id: string): string | undefined {
  return ["st", "adata"].flatMap((place) => [`${folder}/${place}/${id}.h5ad`, `${folder}/${place}/${id}.zarr`])
    .find((path) => disk.look(path) !== undefined);
}

function noSamples(disk: ReadDisk, folder: string): DataError {
  const entry = disk.look(folder);
  const what = entry === undefined
    ? "there is no such folder"
    : entry.kind === "file"
    ? "it is a file"
    : `it has ${entry.names.slice(0, 5).join(", ") || "nothing"}`;
  const names = entry?.kind === "folder" ? entry.names : [];
  const isStore = ["zarr.json", ".zgroup", ".zattrs"].some((name) => names.includes(name));
  const store = isStore ? folder : names.find((name) => name.endsWith(".zarr"));
  return new DataError(`Cannot read samples of ${folder}: ${what}, st/*.h5ad or st/*.zarr wanted`, {
    code: "no-samples",
    hint: store === undefined
      ? "Name a folder in HEST's layout; convert makes one of raw sections, synth of nothing"
      : `convert zarr ${isStore ? folder : `${folder}/${store}`} --out DIR brings a store into HEST's layout`,
    context: { folder },
  });
}
