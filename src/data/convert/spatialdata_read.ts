/**
 * A sample of a store of SpatialData, or of a table of anndata beside an image: the table joined with the circles that it
 * annotates, all in pixels of the image.
 *
 * @module
 */

import { type Affine, inverseOf, mapPoint, stretchOf } from "../../core/affine.ts";
import { DataError } from "../../core/errors.ts";
import { H5ad } from "../../io/hdf5/h5ad.ts";
import { MemoryStorage } from "../../io/hdf5/h5_library.ts";
import { H5Writer } from "../../io/hdf5/h5_write.ts";
import type { NewColumn } from "../../io/hdf5/h5ad_write.ts";
import type { ZarrFolder } from "../../io/zarr/zarr.ts";
import { below, namesOf, ZarrBoxes, type ZarrData } from "../../io/zarr/zarr_box.ts";
import { centre } from "../coordinates.ts";
import { fitPixelSize } from "../image/pixel_size.ts";
import type { Outline } from "../image/polygons.ts";
import type { ReadSample } from "./convert_sample.ts";
import { mapOf, openStoreSlide, readShapes, type StoreShape, type StoreSlide } from "./spatialdata_parts.ts";
import { columnsOf, ELEMENTS } from "./spatialdata_write.ts";

/** Columns that every table of a sample has, whatever else it has. */
const OWN = ["in_tissue", "array_row", "array_col", "pxl_col_in_fullres", "pxl_row_in_fullres"];

/** What a store holds, ready to be written in HEST's layout. */
export interface StoreSample {
  readonly image: StoreSlide;
  readonly sample: ReadSample;
  /** µm between spots and across one, where the store says. */
  readonly pitch: number | undefined;
  readonly spot: number | undefined;
  /** Releases the table, whose matrix is read on. */
  close(): void;
}

/** What the caller says. */
export interface StoreChoice {
  readonly id: string;
  /** µm a pixel, where the store does not say. */
  readonly pixelSize: number | undefined;
  /** µm between spots, by which the lattice tells the pixel size. */
  readonly pitch: number | undefined;
}

/**
 * Reads a store.
 *
 * @throws {FormatError} If it is damaged.
 * @throws {DataError} If it has not one image and one table, or nothing says how large a pixel is.
 */
export async function readStoreSample(store: ZarrFolder, choice: StoreChoice): Promise<StoreSample> {
  const image = await openStoreSlide(store, only(store, "images"));
  const path = only(store, "tables");
  const table = await openTable(store, path);
  try {
    const said = await saidOf(store, path);
    const regions = await regionOf(store, path, table, image.map);
    const spatial = regions?.places ?? table.spatial();
    const { size, residual } = pixelsOf(store, choice, table, spatial, said.number("pixel_size_um_estimated"));
    const whole = (name: string) => Int32Array.from(column(table, name) ?? [], Number);
    const [inTissue, arrayRow, arrayCol] = OWN.map(whole) as [Int32Array, Int32Array, Int32Array];
    const none = new Int32Array(table.obs.index.length);
    const geneIds = table.var.columns.includes("gene_ids") ? table.var.strings("gene_ids") : undefined;
    const layers = store.kind(below(path, "layers")) === "group" ? namesOf(store, below(path, "layers")) : [];
    const sample: ReadSample = {
      technology: said.text("st_technology") ?? "unknown",
      barcodes: table.obs.index,
      genes: table.var.index,
      ...(geneIds === undefined ? {} : { geneIds: geneIds.map((id) => id ?? "") }),
      counts: table.x,
      arrayRow: arrayRow.length > 0 ? arrayRow : none,
      arrayCol: arrayCol.length > 0 ? arrayCol : none,
      ...(inTissue.length > 0 ? { inTissue } : {}),
      spatial,
      columns: othersOf(table),
      tissue: await tissueOf(store, image.map),
      pixels: { size, residual, neighbours: undefined, reference: undefined },
      dropped: {},
      warnings: layers.length > 0 ? [`${choice.id}: layers ${layers.join(", ")} are left out`] : [],
    };
    const across = regions === undefined ? undefined : regions.diameter * size;
    const spot = said.number("spot_diameter") ?? across;
    return { image, sample, pitch: said.number("inter_spot_dist"), spot, close: () => table.close() };
  } catch (error) {
    table.close();
    throw error;
  }
}

/** The only element of a kind. */
function only(store: ZarrFolder, kind: string): string {
  if (kind === "tables" && store.attributes("")["encoding-type"] === "anndata") return "";
  const names = store.kind(kind) === "group" ? namesOf(store, kind) : [];
  if (names.length === 1) return below(kind, names[0]!);
  const found = names.join(", ") || "none";
  throw new DataError(`Cannot convert ${store.name}: ${kind} are ${found}, one wanted`, {
    code: names.length === 0 ? "file-missing" : "several",
    hint: "Write a store of one section: spatialdata's subset() of its elements, then write()",
    context: { file: store.name, kind, found: names },
  });
}

/** The parts of a table that are read, as a file in memory. */
async function openTable(store: ZarrFolder, path: string): Promise<H5ad> {
  const storage = new MemoryStorage(`${store.name}/${path}`);
  const h5 = await H5Writer.create(storage);
  try {
    copyAttributes(h5, store, path, "/");
    for (const part of ["X", "obs", "var"]) await copy(h5, store, below(path, part), `/${part}`);
    const places = below(path, "obsm/spatial");
    if (store.kind(places) !== undefined) {
      h5.group("/obsm");
      await copy(h5, store, places, "/obsm/spatial");
    }
  } finally {
    h5.close();
  }
  return await H5ad.open(storage);
}

function copyAttributes(h5: H5Writer, store: ZarrFolder, path: string, place: string): void {
  for (const [name, value] of Object.entries(store.attributes(path))) {
    if (typeof value === "boolean") h5.attribute(place, name, Number(value));
    else if (typeof value === "string" || typeof value === "number") h5.attribute(place, name, value);
    else if (Array.isArray(value) && value.every((one) => typeof one === typeof value[0])) {
      if (value.length === 0 || /^(string|number)$/.test(typeof value[0])) h5.attribute(place, name, value as string[]);
    }
  }
}

async function copy(h5: H5Writer, store: ZarrFolder, path: string, place: string): Promise<void> {
  const kind = store.kind(path);
  if (kind === undefined) throw store.fail(path, "is missing", "a group or an array");
  if (kind === "group") {
    h5.group(place);
    for (const name of namesOf(store, path)) await copy(h5, store, below(path, name), `${place}/${name}`);
  } else {
    const array = await ZarrBoxes.open(store, path);
    put(h5, place, array.shape, array.dtype, await array.read());
  }
  copyAttributes(h5, store, path, place);
}

function put(h5: H5Writer, place: string, shape: readonly number[], dtype: string, data: ZarrData): void {
  if (!ArrayBuffer.isView(data)) h5.strings(place, data, shape);
  else if (data instanceof Float32Array) h5.dataset(place, "f4", shape, data);
  else if (data instanceof Uint8Array) h5.dataset(place, "u1", shape, data);
  else if (/^float/.test(dtype)) h5.dataset(place, "f8", shape, Float64Array.from(data as Float64Array));
  else if (/64$|^uint32$/.test(dtype)) {
    h5.dataset(place, "i8", shape, BigInt64Array.from(data as Int32Array, (value) => BigInt(value)));
  } else h5.dataset(place, "i4", shape, Int32Array.from(data as Int32Array));
}

/** What the store says of the sample, as this project's stores do. */
async function saidOf(store: ZarrFolder, path: string) {
  const values = new Map<string, unknown>();
  const group = below(below(path, "uns"), "hest");
  for (const name of store.kind(group) === "group" ? namesOf(store, group) : []) {
    const place = below(group, name);
    if (store.kind(place) !== "array") continue;
    const array = await ZarrBoxes.open(store, place);
    if (array.shape.length === 0) values.set(name, (await array.read())[0]);
  }
  return {
    text: (name: string) => typeof values.get(name) === "string" ? values.get(name) as string : undefined,
    number: (name: string) => {
      const value = values.get(name);
      return typeof value === "number" && value > 0 && Number.isFinite(value) ? value : undefined;
    },
  };
}

function column(table: H5ad, name: string): Float64Array | undefined {
  return table.obs.columns.includes(name) ? table.obs.numbers(name) : undefined;
}

/** Columns beside those that every sample's table has. */
function othersOf({ obs }: H5ad): Record<string, NewColumn> {
  return Object.fromEntries(Object.entries(columnsOf(obs)).filter(([name]) => !OWN.includes(name)));
}

/** Centres of the shapes that the rows of a table are of, pixels of the image; undefined where it is of none. */
async function regionOf(
  store: ZarrFolder,
  path: string,
  { obs }: H5ad,
  image: Affine,
): Promise<{ places: Float64Array; diameter: number } | undefined> {
  const { region, instance_key: key } = store.attributes(path);
  const name = Array.isArray(region) && region.length === 1 ? region[0] : region;
  const place = below("shapes", String(name));
  if (typeof name !== "string" || typeof key !== "string" || store.kind(place) === undefined) return undefined;
  const shapes = new Map((await readShapes(store, place)).map((shape) => [shape.index, shape]));
  const own = mapOf(store, place, ["x", "y"], store.attributes(place)["coordinateTransformations"]);
  const back = inverseOf(image);
  const rows = obs.columns.includes(key) ? obs.strings(key) : undefined;
  if (rows === undefined) throw store.fail(below(path, "obs"), `has columns ${obs.columns.join(", ")}`, `one ${key}`);
  const places = new Float64Array(2 * rows.length);
  let radius = 0;
  rows.forEach((index, i) => {
    const shape = shapes.get(index ?? "");
    if (shape === undefined) {
      throw new DataError(
        `Cannot convert ${store.name}: row ${obs.index[i]} is of shape ${index}, which ${place} lacks`,
        {
          code: "barcode-missing",
          context: { file: store.name, row: obs.index[i]!, shape: index ?? null, shapes: place },
        },
      );
    }
    radius = Math.max(radius, shape.radius ?? 0);
    places.set(mapPoint(back, ...mapPoint(own, ...centreOf(shape))), 2 * i);
  });
  return { places, diameter: 2 * radius * stretchOf(own) * stretchOf(back) };
}

/** A circle's centre, or the middle of an outline's box. */
function centreOf({ centre, outlines }: StoreShape): readonly [number, number] {
  if (centre !== undefined) return centre;
  const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
  for (const { exterior } of outlines) {
    exterior.forEach((value, k) => {
      low[k & 1] = Math.min(low[k & 1]!, value);
      high[k & 1] = Math.max(high[k & 1]!, value);
    });
  }
  return [(low[0]! + high[0]!) / 2, (low[1]! + high[1]!) / 2];
}

/** The outlines of this project's stores, pixels of the image; undefined where there are none. */
async function tissueOf(store: ZarrFolder, image: Affine): Promise<Outline[] | undefined> {
  const place = ELEMENTS.tissue;
  if (store.kind(place) === undefined) return undefined;
  const own = mapOf(store, place, ["x", "y"], store.attributes(place)["coordinateTransformations"]);
  const back = inverseOf(image);
  const moved = (ring: Float64Array) => {
    const out = new Float64Array(ring.length);
    for (let i = 0; i < ring.length; i += 2) out.set(mapPoint(back, ...mapPoint(own, ring[i]!, ring[i + 1]!)), i);
    return out;
  };
  const shapes = await readShapes(store, place);
  return shapes.flatMap(({ outlines }) => outlines).map(({ exterior, holes }) => ({
    exterior: moved(exterior),
    holes: holes.map(moved),
  }));
}

function pixelsOf(
  store: ZarrFolder,
  { id, pixelSize, pitch = 100 }: StoreChoice,
  table: H5ad,
  spatial: Float64Array,
  said: number | undefined,
): { size: number; residual: number } {
  const known = pixelSize ?? said;
  if (known !== undefined) return { size: known, residual: 0 };
  const [rows, columns] = [column(table, "array_row"), column(table, "array_col")];
  if (rows === undefined || columns === undefined) {
    throw new DataError(`Cannot convert ${store.name}: nothing says how large a pixel is, µm a pixel wanted`, {
      code: "no-pixel-size",
      hint: "Pass --slide-mpp",
      context: { file: store.name, sample: id },
    });
  }
  return fitPixelSize({ sample: id, rows, columns, spatial: centre(spatial), pitch, lattice: "hex" });
}
