/**
 * The forms of a feature file. All hold the same rows; what a form cannot hold stands beside it in `PATH.json`.
 *
 * `h5` is what TRIDENT and CLAM write: `features` f32 `[n, d]`, `coords` `[n, 2]`, here with `barcode` or `file` `[n, 1]` and
 * attributes on both. `content_sha256` is of what the file holds and says; what stands beside npy and CSV has their checksum and
 * one of its own. `h5ad` is anndata 0.1.0: X, index of obs, `obsm/spatial`, attributes in `uns/embedding`.
 *
 * @module
 */

import { sealJson } from "../io/checksum.ts";
import { csvLine, shortF32 } from "../io/csv.ts";
import type { Disk } from "../io/disk.ts";
import { type BesideFeatures, CONTENT_SUM, ContentSum, coordsFacts } from "../io/features.ts";
import { H5Writer } from "../io/hdf5/h5_write.ts";
import { type AnndataTarget, encode, writeH5ad } from "../io/hdf5/h5ad_write.ts";
import { npyHeader } from "../io/npy.ts";
import { Sha256 } from "../host/zlib.ts";

/** All of a feature file but the features. */
export interface FeatureTable {
  readonly count: number;
  readonly dim: number;
  /** What made the features: encoder, weights, precision, pixel size, … */
  readonly attributes: Readonly<Record<string, string | number>>;
  /** What names the rows. */
  readonly rowNames?: { readonly kind: "barcode" | "file"; readonly values: readonly string[] } | undefined;
  /** `[count, 2]`, x then y. */
  readonly coords?: Int32Array | undefined;
  /** What the coordinates are, in TRIDENT's names: `patch_size`, `patch_size_level0`, and `coords_of`. */
  readonly coordsAttributes?: Readonly<Record<string, string | number>>;
  /** In HDF5 as TRIDENT's own: coordinates are int64 and may grow, and with `strict` a row is a chunk. */
  readonly trident?: { readonly strict: boolean };
}

/** Gives rows `from` up to `to`. */
export type RowsReader = (from: number, to: number) => Float32Array;

/** Writes one form, whole or not at all. */
type Write = (disk: Disk, path: string, table: FeatureTable, rows: RowsReader) => Promise<void> | void;

/** Name of a form, which is also its ending. */
export type FeatureFormat = "h5" | "h5ad" | "safetensors" | "npy" | "csv";

/** Writers by form. */
export const FEATURE_FORMATS: Readonly<Record<FeatureFormat, Write>> = {
  h5: writeH5,
  h5ad: writeAnndata,
  safetensors: writeSafetensors,
  npy: writeNpy,
  csv: writeCsv,
};

/** Writes a feature file of rows that are all there. */
export async function writeFeatures(
  disk: Disk,
  path: string,
  format: FeatureFormat,
  table: FeatureTable,
  rows: RowsReader,
): Promise<void> {
  await FEATURE_FORMATS[format](disk, path, table, rows);
}

/** Bytes of features in memory at once. */
const SLAB = 1 << 24;
/** Bytes of a chunk of an HDF5 file. */
const CHUNK = 1 << 20;

function chunkRows({ count, dim, trident }: FeatureTable): number {
  if (trident?.strict) return 1;
  return Math.max(1, Math.min(count, Math.floor(CHUNK / (dim * 4))));
}

/** Calls `use` for slabs of whole chunks. */
function* slabs(table: FeatureTable, rows: RowsReader): Generator<{ from: number; data: Float32Array }> {
  const step = chunkRows(table) * Math.max(1, Math.floor(SLAB / CHUNK));
  for (let from = 0; from < table.count; from += step) {
    yield { from, data: rows(from, Math.min(table.count, from + step)) };
  }
}

function bytesOf(data: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function attributes(h5: AnndataTarget, path: string, values: Readonly<Record<string, string | number>> = {}): void {
  for (const [name, value] of Object.entries(values)) h5.attribute(path, name, value);
}

/** Writes features with the checksum of the file's content. @param beside What the file holds beside them. */
function features(
  h5: AnndataTarget,
  path: string,
  table: FeatureTable,
  rows: RowsReader,
  beside: BesideFeatures,
): void {
  const { count, dim } = table;
  const sum = new ContentSum();
  h5.dataset(path, "f4", [count, dim], undefined, { chunks: [chunkRows(table), dim], growing: true });
  for (const { from, data } of slabs(table, rows)) {
    h5.rows(path, from, [dim], data);
    sum.add(data);
  }
  h5.attribute(path, CONTENT_SUM, sum.finish(beside));
}

function writeCoords(h5: AnndataTarget, { count, trident }: FeatureTable, coords: Int32Array): void {
  if (trident === undefined) return h5.dataset("/coords", "i4", [count, 2], coords);
  const rows = trident.strict ? 1 : Math.max(1, Math.min(count, 4096));
  h5.dataset("/coords", "i8", [count, 2], undefined, { chunks: [rows, 2], growing: true });
  h5.rows("/coords", 0, [2], BigInt64Array.from(coords, BigInt));
}

async function writeH5(disk: Disk, path: string, table: FeatureTable, rows: RowsReader): Promise<void> {
  const begin = await H5Writer.prepare();
  const { count, coords, rowNames } = table;
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    const facts = { ...table.attributes, ...coordsFacts(coords && table.coordsAttributes) };
    features(h5, "/features", table, rows, { coords, names: rowNames?.values, facts });
    attributes(h5, "/features", table.attributes);
    if (coords !== undefined) {
      writeCoords(h5, table, coords);
      attributes(h5, "/coords", table.coordsAttributes);
    }
    if (rowNames !== undefined) h5.strings(`/${rowNames.kind}`, rowNames.values, [count, 1]);
    h5.close();
  });
}

async function writeAnndata(disk: Disk, path: string, table: FeatureTable, rows: RowsReader): Promise<void> {
  const begin = await H5Writer.prepare();
  const { count, dim, coords, coordsAttributes = {} } = table;
  const index = table.rowNames?.values ?? Array.from({ length: count }, (_, i) => String(i));
  // scanpy plots spots at their centres.
  const size = coordsAttributes["coords_of"] === "top-left" ? coordsAttributes["patch_size_level0"] : undefined;
  const half = typeof size === "number" ? size / 2 : 0;
  const spatialOf = half > 0 ? "centre" : coordsAttributes["coords_of"] ?? "unknown";
  const spatial = coords && { shape: [count, 2], values: Float64Array.from(coords, (v) => v + half) };
  const facts = { ...table.attributes, ...(coords === undefined ? {} : { spatial_of: spatialOf }) };
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, {
      obs: { index },
      var: { index: Array.from({ length: dim }, (_, i) => `f${i}`) },
      x(h5, place) {
        features(h5, place, table, rows, { coords: spatial?.values, names: index, facts });
        encode(h5, place, "array", "0.2.0");
      },
      obsm: spatial === undefined ? {} : { spatial },
      uns: { embedding: facts },
    });
    h5.close();
  });
}

/** All facts of a table; those of features win over those of coordinates. */
function factsOf({ coordsAttributes, attributes }: FeatureTable): Record<string, string | number> {
  return { ...coordsAttributes, ...attributes };
}

function writeSafetensors(disk: Disk, path: string, table: FeatureTable, rows: RowsReader): void {
  const { count, dim, coords, rowNames } = table;
  const facts = factsOf(table);
  const bytes = count * dim * 4;
  const sum = new ContentSum();
  for (const { data } of slabs(table, rows)) sum.add(data);
  const header = {
    __metadata__: {
      ...Object.fromEntries(Object.entries(facts).map(([k, v]) => [k, String(v)])),
      [CONTENT_SUM]: sum.finish({ coords, names: rowNames?.values, facts }),
      ...(rowNames && { [rowNames.kind]: JSON.stringify(rowNames.values) }),
    },
    features: { dtype: "F32", shape: [count, dim], data_offsets: [0, bytes] },
    ...(coords && { coords: { dtype: "I32", shape: [count, 2], data_offsets: [bytes, bytes + coords.byteLength] } }),
  };
  disk.writeChunks(
    path,
    (function* () {
      const json = new TextEncoder().encode(JSON.stringify(header));
      const head = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20, 8);
      new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true);
      head.set(json, 8);
      yield head;
      for (const { data } of slabs(table, rows)) yield bytesOf(data);
      if (coords !== undefined) yield bytesOf(coords);
    })(),
  );
}

/** Writes a file of rows alone; what it cannot hold goes beside it first, with the checksums of both. */
function writeBeside(disk: Disk, path: string, table: FeatureTable, chunks: () => Iterable<Uint8Array>): void {
  const { coords, rowNames, count, dim } = table;
  const hash = new Sha256();
  let bytes = 0;
  for (const chunk of chunks()) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  const facts = {
    rows: count,
    dim,
    attributes: factsOf(table),
    file: { bytes, sha256: hash.hex() },
    ...(coords && { coords: Array.from({ length: coords.length / 2 }, (_, i) => [coords[2 * i], coords[2 * i + 1]]) }),
    ...(rowNames && { [rowNames.kind]: rowNames.values }),
  };
  disk.write(`${path}.json`, sealJson(facts, 0));
  disk.writeChunks(path, chunks());
}

function writeNpy(disk: Disk, path: string, table: FeatureTable, rows: RowsReader): void {
  writeBeside(disk, path, table, function* () {
    yield npyHeader("f4", [table.count, table.dim]);
    for (const { data } of slabs(table, rows)) yield bytesOf(data);
  });
}

function writeCsv(disk: Disk, path: string, table: FeatureTable, rows: RowsReader): void {
  const { dim, coords, rowNames } = table;
  const encoder = new TextEncoder();
  writeBeside(disk, path, { ...table, coords: undefined, rowNames: undefined }, function* () {
    const names = Array.from({ length: dim }, (_, i) => `f${i}`);
    yield encoder.encode(csvLine([rowNames?.kind ?? "row", ...(coords ? ["x", "y"] : []), ...names]));
    for (const { from, data } of slabs(table, rows)) {
      let text = "";
      for (let i = 0, row = from; i < data.length; i += dim, row++) {
        const place = coords ? [coords[2 * row]!, coords[2 * row + 1]!] : [];
        const values = Array.from(data.subarray(i, i + dim), shortF32);
        text += csvLine([rowNames?.values[row] ?? row, ...place, ...values]);
      }
      yield encoder.encode(text);
    }
  });
}
