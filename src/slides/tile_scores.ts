/**
 * Scores of the tiles of slides, as programs leave them: tables of text with a row a tile, arrays of NumPy, HDF5 (CLAM's
 * `attention_scores` beside `coords`, this program's `attention`), tensors of PyTorch and safetensors. Arrays are `[n]`, `[n, k]`
 * or `[k, n]`, extents of 1 left out.
 *
 * @module
 */

import { DataError, FormatError } from "../core/errors.ts";
import { shortList } from "../data/cohort/cohort_table.ts";
import { decodeText } from "../io/csv.ts";
import { type Disk, randomAccess } from "../io/disk.ts";
import { H5File } from "../io/hdf5/h5.ts";
import { readNpy, readNpyHeader } from "../io/npy.ts";
import { h5Places, type TilePlaces } from "../io/tile_places.ts";
import { openWeights } from "../io/torch/weights.ts";
import { PLACE_COLUMNS, ScoreTable } from "./score_table.ts";

/** Scores of one slide. */
export interface TileScores {
  readonly file: string;
  /** Numbers of every tile by the name of the score, in the order of the file. */
  readonly columns: ReadonlyMap<string, Float64Array>;
  /** Where the tiles lie, with their coordinates. */
  readonly places: TilePlaces & { readonly coords: Float64Array };
  /** Names of the tiles, where the file has them. */
  readonly tiles: readonly string[] | undefined;
  /** Whether the file names slides, and has rows of this one. */
  readonly named: boolean;
}

/** What is taken of a file. */
export interface ScoreRequest {
  /** Name of the slide, by which rows of a table of several are chosen. */
  readonly slide: string;
  /** Names of scores; by default all that are in the file. */
  readonly wanted: readonly string[];
  /** Where the tiles lie, if another file says it. */
  readonly places?: { readonly file: string; readonly places: TilePlaces } | undefined;
}

/** Most scores that are taken without their names being given, and most columns of an array that are scores. */
const MOST = 16;
/** Datasets of HDF5 that are no scores. */
const NO_SCORES: ReadonlySet<string> = new Set(["coords", "features", "feats", "embeddings", "barcode", "barcodes"]);
/** Columns of a table that are numbers and no scores. */
const NO_SCORE = /^(unnamed: \d+|index|id|row|col|column|tile|tile_id|patch|patch_id|patch_size_level0)?$/i;
const TILE_COLUMNS: readonly string[] = ["barcode", "tile", "tile_id", "patch", "patch_id", "name"];

/** Numbers under a name, read when they are wanted. */
interface Column {
  readonly name: string;
  read(): Promise<Float64Array> | Float64Array;
}

interface OpenScores extends Pick<TileScores, "tiles" | "places"> {
  readonly named?: boolean;
  /** All that could be scores. */
  readonly columns: readonly Column[];
  /** What was found, where none of it has a number a tile. */
  readonly others: readonly string[];
  /** Closes what lies over the file. */
  close?(): void;
}

/**
 * Reads scores.
 *
 * @throws {FormatError} If the file is damaged or of another format.
 * @throws {DataError} If it has no such scores, none of this slide, no coordinates, or not a number a tile.
 */
export async function readTileScores(
  disk: Pick<Disk, "open">,
  path: string,
  request: ScoreRequest,
): Promise<TileScores> {
  const storage = disk.open(path, "read");
  let opened: OpenScores | undefined;
  try {
    const head = new Uint8Array(8);
    const begins = storage.read(0, head) < 8 ? 0 : new DataView(head.buffer).getUint32(0);
    const kind = begins === 0x89484446
      ? h5Scores
      : begins === 0x934e554d
      ? npyScores
      : /\.(pt|pth|bin|safetensors)$/i.test(path) || begins === 0x504b0304
      ? tensorScores
      : tableScores;
    opened = await kind(storage, path, request);
    const { columns, places, tiles, others, named = false } = opened;
    const taken = choose(columns, request.wanted, path, others);
    const read = new Map<string, Float64Array>();
    for (const column of taken) read.set(column.name, await column.read());
    return { file: path, columns: read, places, tiles, named };
  } finally {
    if (opened?.close) opened.close();
    else storage.close();
  }
}

/**
 * Reads where the tiles of a slide lie: the coordinates of HDF5, an array `[n, 2]` of NumPy, or columns x and y of a table.
 *
 * @param slide Name of the slide, by which rows of a table of several are chosen.
 * @throws {FormatError} If the file is damaged or of another format.
 */
export async function readPlaces(disk: Pick<Disk, "open">, path: string, slide: string): Promise<TilePlaces> {
  const storage = disk.open(path, "read");
  try {
    const head = new Uint8Array(8);
    const begins = storage.read(0, head) < 8 ? 0 : new DataView(head.buffer).getUint32(0);
    if (begins === 0x89484446) {
      using file = await H5File.open(storage);
      return h5Coords(file);
    }
    if (begins !== 0x934e554d) return tableOf(storage, path, slide).places();
    const source = randomAccess(storage);
    const header = await readNpyHeader(source);
    if (header.shape.length !== 2 || header.shape[1] !== 2) {
      const found = `shape ${JSON.stringify(header.shape)}`;
      throw new FormatError(`Cannot read coordinates of ${path}: ${found}, expected [n, 2]`, {
        context: { file: path, offset: 0, found, expected: "[n, 2]" },
      });
    }
    return { ...NO_PLACES, coords: Float64Array.from(await readNpy(source, header) as ArrayLike<number>, Number) };
  } finally {
    storage.close();
  }
}

const NO_PLACES = {
  coords: undefined,
  unit: "px",
  patch: undefined,
  side: undefined,
  mpp: undefined,
  said: {},
  notes: [],
} as const;

/** Coordinates of an HDF5 file. */
function h5Coords(file: H5File): TilePlaces {
  if (file.kind("/coords") !== "dataset") return h5Places(file, undefined);
  const { shape = [] } = file.info("/coords");
  if (shape.length !== 2 || shape[1] !== 2) throw file.fail("/coords", `shape ${JSON.stringify(shape)}`, "[n, 2]");
  return h5Places(file, file.numbers("/coords"));
}

function tableOf(storage: Storage, path: string, slide: string): ScoreTable {
  const bytes = new Uint8Array(storage.size());
  storage.read(0, bytes);
  return new ScoreTable(path, decodeText(bytes, path), slide);
}

type Storage = ReturnType<Disk["open"]>;

function choose(
  columns: readonly Column[],
  wanted: readonly string[],
  path: string,
  others: readonly string[],
): readonly Column[] {
  const names = columns.map(({ name }) => name);
  const known = names.length > 0 ? shortList(names) : others.length > 0 ? shortList(others) : "nothing";
  const refuse = (what: string, expected: string, code: string, hint: string) =>
    new DataError(`Cannot draw ${what} of ${path}: it has ${known}, expected ${expected}`, {
      code,
      hint,
      context: { file: path, found: [...names, ...others].slice(0, 50), expected },
    });
  const missing = wanted.find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw refuse(missing, `a number a tile under ${missing}`, "no-score", "Pass another --score, one of those it has");
  }
  if (wanted.length > 0) return wanted.map((name) => columns.find((column) => column.name === name)!);
  if (columns.length > 0 && columns.length <= MOST) return columns;
  if (columns.length > MOST) {
    throw refuse(`all ${columns.length} scores`, `at most ${MOST}`, "many-scores", "Name those to draw with --score");
  }
  throw refuse("scores", "a number a tile", "no-score", "Give the file of scores that belongs to these coordinates");
}

/** The places, which the file or another must have. */
function placesOf(path: string, own: TilePlaces | undefined, { places: given }: ScoreRequest): OpenScores["places"] {
  const places = given?.places ?? own;
  if (places?.coords !== undefined) return places as OpenScores["places"];
  throw new DataError(`Cannot draw scores of ${path}: ${given ? `${given.file} has` : "it has"} no coordinates`, {
    code: "no-coordinates",
    hint: "Pass --coords with the file of coordinates the scores were made from: NAME_patches.h5 or the features",
    context: { file: path },
  });
}

/** An array as columns, if one of its extents counts the tiles. */
function arrayColumns(
  name: string,
  shape: readonly number[],
  tiles: number,
  read: () => Promise<ArrayLike<number | bigint>> | ArrayLike<number | bigint>,
): Column[] | undefined {
  const extents = shape.filter((extent) => extent !== 1);
  const [n = 1, k = 1] = extents;
  if (extents.length > 2) return undefined;
  const rows = n === tiles && (extents.length > 0 || tiles === 1);
  if (!rows && !(extents.length === 2 && k === tiles) && !(extents.length === 1 && tiles === 1)) return undefined;
  const [count, step, apart] = rows ? [k, k, 1] : [n, 1, tiles];
  let values: Promise<ArrayLike<number | bigint>> | undefined;
  return Array.from({ length: count }, (_, c) => ({
    name: count === 1 ? name : `${name}_${c}`,
    async read() {
      const all = await (values ??= Promise.resolve(read()));
      return Float64Array.from({ length: tiles }, (_, i) => Number(all[i * step + c * apart]));
    },
  }));
}

/** Columns of arrays: those of few columns, and of others the ones that are wanted. */
function pick(arrays: readonly (Column[] | undefined)[], { wanted }: ScoreRequest): Column[] {
  return arrays.flatMap((columns) => {
    if (columns === undefined) return [];
    return columns.length <= MOST ? columns : columns.filter(({ name }) => wanted.includes(name));
  });
}

async function h5Scores(storage: Storage, path: string, request: ScoreRequest): Promise<OpenScores> {
  const file = await H5File.open(storage);
  try {
    return scoresIn(file, path, request);
  } catch (error) {
    file.close();
    throw error;
  }
}

function scoresIn(file: H5File, path: string, request: ScoreRequest): OpenScores {
  const places = placesOf(path, h5Coords(file), request);
  const tiles = places.coords.length / 2;
  const others: string[] = [];
  const arrays = file.keys().filter((name) => file.kind(`/${name}`) === "dataset" && !NO_SCORES.has(name)).map(
    (name) => {
      const { shape = [], dtype } = file.info(`/${name}`);
      const numbers = dtype !== "str" && dtype !== "other";
      const columns = numbers ? arrayColumns(name, shape, tiles, () => file.read(`/${name}`)) : undefined;
      if (columns === undefined) others.push(`${name} ${dtype} [${shape.join(", ")}] for ${tiles} tiles`);
      return columns;
    },
  );
  const names = ["/barcode", "/barcodes"].find((name) => file.kind(name) === "dataset");
  const own = names !== undefined && file.info(names).dtype === "str" ? file.strings(names) : undefined;
  return {
    columns: pick(arrays, request),
    places,
    others,
    tiles: own?.length === tiles ? own : undefined,
    close: () => file.close(),
  };
}

async function npyScores(storage: Storage, path: string, request: ScoreRequest): Promise<OpenScores> {
  const source = randomAccess(storage);
  const header = await readNpyHeader(source);
  const places = placesOf(path, undefined, request);
  const tiles = places.coords.length / 2;
  const columns = arrayColumns("score", header.shape, tiles, () => readNpy(source, header, 0, header.shape[0] ?? 1));
  return {
    columns: pick([columns], request),
    places,
    tiles: undefined,
    others: columns ? [] : [`an array [${header.shape.join(", ")}] for ${tiles} tiles`],
  };
}

async function tensorScores(storage: Storage, path: string, request: ScoreRequest): Promise<OpenScores> {
  const { tensors } = await openWeights(randomAccess(storage));
  const stored = tensors.get("coords");
  const coords = stored && stored.shape.length === 2 && stored.shape[1] === 2
    ? Float64Array.from(await stored.readF32())
    : undefined;
  const places = placesOf(path, { ...NO_PLACES, coords }, request);
  const tiles = places.coords.length / 2;
  const others: string[] = [];
  const arrays = [...tensors].filter(([name]) => !NO_SCORES.has(name)).map(([name, tensor]) => {
    const columns = arrayColumns(name || "score", tensor.shape, tiles, () => tensor.readF32());
    if (columns === undefined) others.push(`${name || "a tensor"} [${tensor.shape.join(", ")}] for ${tiles} tiles`);
    return columns;
  });
  return { columns: pick(arrays, request), places, others, tiles: undefined };
}

function tableScores(storage: Storage, path: string, request: ScoreRequest): OpenScores {
  const table = tableOf(storage, path, request.slide);
  const places = placesOf(path, table.places(), request);
  const tiles = places.coords.length / 2;
  const { header, rows } = table;
  const fits = rows.length === tiles;
  const columns = [...header.keys()].filter((at) =>
    request.wanted.includes(header[at]!) ||
    (!PLACE_COLUMNS.has(header[at]!.toLowerCase()) && !NO_SCORE.test(header[at]!) && table.isNumeric(at))
  ).map((at): Column => ({ name: header[at]!, read: () => table.numbers(at) }));
  const named = table.at(TILE_COLUMNS);
  const names = named === undefined ? undefined : rows.map(({ fields }) => fields[named]!);
  return {
    columns: fits ? columns : [],
    places,
    others: fits ? header.filter(Boolean) : [`${rows.length} rows for ${tiles} tiles`],
    tiles: names,
    named: table.named,
  };
}
