/**
 * Feature files: one row of numbers a patch, as this program, TRIDENT, CLAM, STAMP, the HEST benchmark and scanpy write them.
 *
 * HDF5: `features`, `feats` or `embeddings` `[n, d]` (or `[1, n, d]`), with `coords` and `barcode` where given; h5ad: dense
 * `X` with the index of `obs`; npy: one array; safetensors: a tensor `features`, or the only one; PyTorch's files: the tensor
 * that was saved, or one called `features` or `feats`, or the only one. Files of this program carry a checksum of what they
 * hold and say; that of npy and CSV stands beside them.
 *
 * @module
 */

import { DataError, FormatError } from "../core/errors.ts";
import { damaged, isMark, markOfFile, openSealed, sha256Of } from "./checksum.ts";
import { type Disk, randomAccess, readBytes } from "./disk.ts";
import { H5File, type H5Value } from "./hdf5/h5.ts";
import { readTree } from "./hdf5/h5ad_uns.ts";
import { readNpy, readNpyHeader } from "./npy.ts";
import { checkRows, readBarcodes } from "./patches.ts";
import type { RandomAccess } from "./random_access.ts";
import { openSafetensors } from "./torch/safetensors.ts";
import type { H5Storage } from "./hdf5/h5_library.ts";
import { openWeights } from "./torch/weights.ts";
import { Sha256 } from "../host/zlib.ts";

/** An open feature file. */
export interface Features {
  /** Name of the file. */
  readonly name: string;
  /** Rows. */
  readonly count: number;
  /** Features of a row. */
  readonly dim: number;
  /** Names of the rows, where it has them. */
  readonly barcodes: readonly string[] | undefined;
  /** `[count, 2]`, as the file has them. */
  readonly coords: Float64Array | undefined;
  /** Attributes of the features. */
  readonly attributes: Readonly<Record<string, H5Value>>;
  /** Files that the rows are of, where it names those instead of barcodes. */
  readonly files: readonly string[] | undefined;
  /** All that the file says of itself under names, which its checksum covers. */
  facts(): Readonly<Record<string, unknown>>;
  /** Rows `from` up to `to`, `[to - from, dim]`. */
  read(from?: number, to?: number): Promise<Float32Array>;
  /** Closes the file. */
  close(): void;
}

/** Attribute of the features with the checksum of what the file holds. */
export const CONTENT_SUM = "content_sha256";

/** What stands beside the features. */
export interface BesideFeatures {
  readonly coords?: ArrayLike<number> | undefined;
  /** Of rows: barcodes or files. */
  readonly names?: readonly string[] | undefined;
  /** What the file says of itself: encoder, adapter, precision, … */
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * SHA-256 of features in f32, coordinates in f64, and the JSON of the names, in lower-case hexadecimal; of that and of the facts
 * as text where they are given; earlier versions left it out.
 */
export class ContentSum {
  readonly #hash = new Sha256();

  /** Adds rows of features. */
  add(rows: Float32Array): this {
    this.#hash.update(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
    return this;
  }

  /** The checksum with what stands beside the features. */
  finish({ coords, names, facts }: BesideFeatures): string {
    if (coords !== undefined) this.#hash.update(new Uint8Array(Float64Array.from(coords).buffer));
    if (names !== undefined) this.#hash.update(new TextEncoder().encode(JSON.stringify(names)));
    const sum = this.#hash.hex();
    return facts === undefined ? sum : withFacts(sum, facts);
  }
}

function withFacts(sum: string, facts: Readonly<Record<string, unknown>>): string {
  const named = Object.entries(facts).filter(([name]) => name !== CONTENT_SUM);
  const texts = named.map(([name, value]) => [name, String(value)]).sort(([a], [b]) => a! < b! ? -1 : 1);
  return sha256Of(JSON.stringify([sum, texts]));
}

/**
 * What stands in `PATH.json` beside a file of rows alone, npy or CSV, both compared with their checksums; those of versions
 * before have none. Undefined where nothing of this program stands there.
 *
 * @throws {DataError} If either was changed or damaged.
 */
export function readBeside(disk: Pick<Disk, "look" | "open">, path: string): Record<string, unknown> | undefined {
  const beside = `${path}.json`;
  if (disk.look(beside)?.kind !== "file") return undefined;
  const bytes = readBytes(disk, beside);
  if (!/"(checksum|attributes)"/.test(new TextDecoder().decode(bytes))) return undefined;
  const { value, sealed } = openSealed(bytes, beside);
  const wanted = value["file"];
  if (!sealed && wanted === undefined) return value;
  if (!sealed || !isMark(wanted)) {
    throw new DataError(`Cannot read ${beside}: no checksum, wanted one of its own and one of ${path}`, {
      code: "checksum",
      hint: AGAIN,
      context: { file: beside },
    });
  }
  const found = markOfFile(disk, path);
  if (found.bytes !== wanted.bytes || found.sha256 !== wanted.sha256) throw damaged(path, beside, found, wanted, AGAIN);
  return value;
}

const AGAIN = "Make it again with embed --overwrite, or take it out of the folder";

/** Numbers of features read at once. */
const BLOCK = 1 << 20;

/**
 * Compares what a file holds with its checksum, if it has one: files of other programs and of older versions have none.
 *
 * @param read All rows, where they were read before.
 * @throws {DataError} If it was changed or damaged.
 */
export async function checkContent(file: Features, read?: Float32Array): Promise<void> {
  if (file.attributes[CONTENT_SUM] === undefined) return;
  if (read) compareSum(file, new ContentSum().add(read));
  else for await (const _ of checkedRows(file));
}

/**
 * All rows in blocks, the numbers of a block one behind the other. Behind the last they are compared with the file's checksum, if it
 * has one; a reader that stops before compares nothing.
 *
 * @throws {DataError} If the file was changed or damaged.
 */
export async function* checkedRows(
  file: Features,
): AsyncGenerator<{ readonly from: number; readonly rows: Float32Array }> {
  const sum = file.attributes[CONTENT_SUM] === undefined ? undefined : new ContentSum();
  const step = Math.max(1, Math.floor(BLOCK / file.dim));
  for (let from = 0; from < file.count; from += step) {
    const rows = await file.read(from, Math.min(file.count, from + step));
    sum?.add(rows);
    yield { from, rows };
  }
  if (sum) compareSum(file, sum);
}

function compareSum(file: Features, sum: ContentSum): void {
  const wanted = file.attributes[CONTENT_SUM];
  const before = sum.finish({ coords: file.coords, names: file.barcodes ?? file.files });
  const found = withFacts(before, file.facts());
  if (wanted === found || wanted === before) return;
  throw new DataError(
    `Cannot use features of ${file.name}: their SHA-256 is ${found.slice(0, 12)}…, ${
      String(wanted).slice(0, 12)
    }… is wanted by their attribute ${CONTENT_SUM}; the file was changed or damaged`,
    {
      code: "checksum",
      hint: AGAIN,
      context: { file: file.name, found, wanted: String(wanted) },
    },
  );
}

/** Names of the features in HDF5 files. */
const KEYS: readonly string[] = ["/features", "/feats", "/embeddings"];

/**
 * Opens a feature file, told by its first bytes.
 *
 * @param source A file of the host, or bytes by range; closing the result closes it.
 * @throws {FormatError} If it is damaged or of another format.
 * @throws {DataError} If it has no features.
 */
export async function openFeatures(source: H5Storage): Promise<Features> {
  const head = new Uint8Array(8);
  const first = source.read(0, head) < 8 ? 0 : new DataView(head.buffer).getUint32(0);
  try {
    if (first === 0x89484446) return h5Features(await H5File.open(source));
    // A pickle that is not in a zip is PyTorch's old format, whose error says how to convert it.
    const torch = first === 0x504b0304 || head[0] === 0x80;
    return await (first === 0x934e554d ? npyFeatures : torch ? torchFeatures : safetensorsFeatures)(
      randomAccess(source),
    );
  } catch (error) {
    source.close?.();
    throw error;
  }
}

function h5Features(file: H5File): Features {
  const isAnnData = file.kind("/obs") === "group";
  const path = file.find(isAnnData ? ["/X"] : KEYS);
  if (path === undefined) {
    const found = isAnnData && file.kind("/X") === "group" ? "a sparse X" : file.keys().join(", ") || "nothing";
    throw new DataError(
      `Cannot read features of ${file.name}: it has ${found}, none of ${KEYS.join(" ")} or a dense X`,
      {
        context: { file: file.name, keys: file.keys() },
      },
    );
  }
  const { shape = [], dtype } = file.info(path);
  const nested = shape.length === 3 && shape[0] === 1;
  const [count = 0, dim = 0] = nested ? shape.slice(1) : shape;
  if ((shape.length !== 2 && !nested) || !["f2", "f4", "f8"].includes(dtype) || dim === 0) {
    throw file.fail(path, `${dtype} ${JSON.stringify(shape)}`, "numbers [n, d]");
  }
  let barcodes = isAnnData ? undefined : readBarcodes(file, count);
  if (isAnnData) {
    const index = file.attributes("/obs")["_index"];
    if (typeof index === "string" && file.kind(`/obs/${index}`) === "dataset") barcodes = file.strings(`/obs/${index}`);
  }
  const attributes = file.attributes(path);
  // What other programs call so is none of names.
  const own = !isAnnData && attributes[CONTENT_SUM] !== undefined && file.kind("/file") === "dataset";
  const places = file.find(isAnnData ? ["/obsm/spatial"] : ["/coords"]);
  if (places !== undefined) checkRows(file, places, count, 2);
  return {
    name: file.name,
    count,
    dim,
    barcodes,
    coords: places === undefined ? undefined : file.numbers(places),
    attributes,
    files: own ? file.strings("/file") : undefined,
    // deno-lint-ignore require-await
    async read(from = 0, to = count) {
      const rows = file.read(path, from, to, nested ? 1 : 0);
      return rows instanceof Float32Array ? rows : Float32Array.from(rows as Float64Array);
    },
    facts: () =>
      isAnnData
        ? file.kind("/uns/embedding") === "group" ? readTree(file, "/uns/embedding") : {}
        : { ...attributes, ...(places === undefined ? {} : coordsFacts(file.attributes(places))) },
    close: () => file.close(),
  };
}

/** Attributes of coordinates among the facts of a file, which has some of the same name for its features. */
export function coordsFacts(attributes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`coords/${name}`, value]));
}

async function npyFeatures(source: RandomAccess): Promise<Features> {
  const header = await readNpyHeader(source);
  const [count = 0, dim = 0] = header.shape;
  if (header.shape.length !== 2 || dim === 0 || header.dtype[0] !== "f") {
    throw shapeError(source.name, `${header.dtype} ${JSON.stringify(header.shape)}`);
  }
  return plain(source, count, dim, {}, async (from, to) => {
    const rows = await readNpy(source, header, from, to);
    return rows instanceof Float32Array ? rows : Float32Array.from(rows as Float64Array);
  });
}

async function safetensorsFeatures(source: RandomAccess): Promise<Features> {
  const { tensors, metadata } = await openSafetensors(source);
  const tensor = tensors.get("features") ?? (tensors.size === 1 ? [...tensors.values()][0] : undefined);
  if (tensor?.shape.length !== 2) throw shapeError(source.name, tensor ? JSON.stringify(tensor.shape) : "no features");
  const [count = 0, dim = 0] = tensor.shape;
  const { barcode, file, ...attributes } = metadata;
  const places = tensors.get("coords");
  const features = plain(source, count, dim, attributes, (from, to) => tensor.readF32(from * dim, to * dim));
  const coords = places && Float64Array.from(await places.readF32());
  return {
    ...features,
    coords,
    barcodes: barcode === undefined ? undefined : names(source.name, "barcode", barcode, count),
    files: file === undefined || metadata[CONTENT_SUM] === undefined
      ? undefined
      : names(source.name, "file", file, count),
  };
}

/** Names of the features in PyTorch's files; that of a tensor saved by itself is empty. */
const TORCH_KEYS: readonly string[] = ["", "features", "feats"];

async function torchFeatures(source: RandomAccess): Promise<Features> {
  const { tensors } = await openWeights(source);
  const named = TORCH_KEYS.map((key) => tensors.get(key)).find((tensor) => tensor !== undefined);
  const tensor = named ?? (tensors.size === 1 ? [...tensors.values()][0]! : undefined);
  const found = tensor ? `${tensor.dtype} ${JSON.stringify(tensor.shape)}` : `${tensors.size} tensors`;
  const shape = tensor?.shape.length === 3 && tensor.shape[0] === 1 ? tensor.shape.slice(1) : tensor?.shape ?? [];
  const [count = 0, dim = 0] = shape;
  if (!tensor || shape.length !== 2 || dim === 0 || !/^(F16|BF16|F32|F64)$/.test(tensor.dtype)) {
    throw shapeError(source.name, found);
  }
  return plain(source, count, dim, {}, (from, to) => tensor.readF32(from * dim, to * dim));
}

function names(file: string, key: string, json: string, count: number): string[] {
  try {
    const list = JSON.parse(json);
    if (Array.isArray(list) && list.length === count && list.every((v) => typeof v === "string")) return list;
  } catch { /* said below */ }
  throw new FormatError(`Cannot read ${file}: its ${key} is no list, expected ${count} strings`, {
    context: { file },
  });
}

function shapeError(file: string, found: string): FormatError {
  return new FormatError(`Cannot read features of ${file}: ${found}, expected numbers [n, d]`, {
    context: { file, found, expected: "numbers [n, d]" },
  });
}

function plain(
  source: RandomAccess,
  count: number,
  dim: number,
  attributes: Record<string, H5Value>,
  rows: (from: number, to: number) => Promise<Float32Array>,
): Features {
  return {
    name: source.name,
    count,
    dim,
    barcodes: undefined,
    coords: undefined,
    attributes,
    files: undefined,
    facts: () => attributes,
    read: async (from = 0, to = count) => await rows(from, to),
    close: () => source.close?.(),
  };
}
