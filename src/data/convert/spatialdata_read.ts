/**
 * A sample of a store of SpatialData, or of a table of anndata beside an image: the table joined with the circles that it
 * annotates, all in pixels of the image.
 *
 * @module
 */

import { type Affine, inverseOf, mapPoint, stretchOf } from "../../core/affine.ts";
import { DataError } from "../../core/errors.ts";
import type { H5ad } from "../../io/hdf5/h5ad.ts";
import type { Frame } from "../../io/hdf5/h5ad_frame.ts";
import type { NewColumn } from "../../io/hdf5/h5ad_write.ts";
import { openStoreTable } from "../../io/zarr/anndata_copy.ts";
import type { ZarrFolder } from "../../io/zarr/zarr.ts";
import { below, namesOf, ZarrBoxes } from "../../io/zarr/zarr_box.ts";
import { centre } from "../coordinates.ts";
import { fitPixelSize } from "../image/pixel_size.ts";
import type { Outline } from "../image/polygons.ts";
import type { Slide } from "../image/slide.ts";
import type { ReadSample } from "./convert_sample.ts";
import { mapOf, openStoreSlide, readShapes, SAME, type StoreShape, type StoreSlide } from "./spatialdata_parts.ts";
import { columnsOf, ELEMENTS } from "./spatialdata_write.ts";

/** Columns that every table of a sample has, whatever else it has. */
const OWN = ["in_tissue", "array_row", "array_col", "pxl_col_in_fullres", "pxl_row_in_fullres"];

/** What of a table's parts is read, or has no meaning behind it. */
const TAKEN: ReadonlySet<string> = new Set(["obsm/spatial", "uns/hest", "uns/spatialdata_attrs"]);

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
  /** The image in whose pixels the places are, in place of the store's own. */
  readonly slide?: Slide | undefined;
}

/** Parts of a table that are read. */
const PARTS = ["X", "obs", "var", "obsm/spatial"];

/**
 * Reads a store.
 *
 * @throws {FormatError} If it is damaged.
 * @throws {DataError} If it has not one image and one table, or nothing says how large a pixel is.
 */
export async function readStoreSample(store: ZarrFolder, choice: StoreChoice): Promise<StoreSample> {
  const image = choice.slide === undefined
    ? await openStoreSlide(store, only(store, "images"))
    : { slide: choice.slide, map: SAME };
  const path = only(store, "tables");
  const table = await openStoreTable(store, path, PARTS);
  try {
    const said = await saidOf(store, path);
    const regions = await regionOf(store, path, table, image.map);
    const spatial = regions?.places ?? table.spatial();
    const { size, residual } = pixelsOf(store, choice, table, spatial, said.number("pixel_size_um_estimated"));
    const whole = (name: string) => Int32Array.from(column(table, name) ?? [], Number);
    const [inTissue, arrayRow, arrayCol] = OWN.map(whole) as [Int32Array, Int32Array, Int32Array];
    const none = new Int32Array(table.obs.index.length);
    const geneIds = table.var.columns.includes("gene_ids") ? table.var.strings("gene_ids") : undefined;
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
      columns: othersOf(table.obs, OWN),
      geneColumns: othersOf(table.var, ["gene_ids"]),
      tissue: await tissueOf(store, image.map),
      pixels: { size, residual, neighbours: undefined, reference: undefined },
      dropped: {},
      warnings: leftOut(choice.id, store, path, choice.slide !== undefined),
    };
    const across = regions === undefined ? undefined : regions.diameter * size;
    const spot = said.number("spot_diameter") ?? across;
    return { image, sample, pitch: said.number("inter_spot_dist"), spot, close: () => table.close() };
  } catch (error) {
    table.close();
    throw error;
  }
}

/** What of a store is not taken along, in one line: of each kind how many, and the first by name. */
function leftOut(id: string, store: ZarrFolder, path: string, ownImage: boolean): string[] {
  const inGroup = (place: string) => store.kind(place) === "group" ? namesOf(store, place) : [];
  const { region } = store.attributes(path);
  const shapes = new Set([...[region].flat().map((name) => below("shapes", String(name))), ELEMENTS.tissue]);
  const of: [what: string, names: readonly string[]][] = [
    ...["layers", "obsm", "varm", "obsp", "varp", "uns"].map((part): [string, string[]] => [
      part,
      inGroup(below(path, part)).filter((name) => !TAKEN.has(`${part}/${name}`)),
    ]),
    ["raw", store.kind(below(path, "raw")) === undefined ? [] : ["raw"]],
    ...(path === "" ? [] : ["images", "labels", "points", "shapes"]).map((kind): [string, string[]] => [
      kind,
      inGroup(kind).filter((name) => (kind !== "images" || ownImage) && !shapes.has(below(kind, name))),
    ]),
  ];
  const told = of.filter(([, names]) => names.length > 0).map(([what, names]) =>
    `${names.length} of ${what} (${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""})`
  );
  return told.length === 0 ? [] : [`${id}: left out: ${told.join(", ")}`];
}

/** The only element of a kind. */
function only(store: ZarrFolder, kind: string): string {
  if (kind === "tables" && store.attributes("")["encoding-type"] === "anndata") return "";
  const names = store.kind(kind) === "group" ? namesOf(store, kind) : [];
  if (names.length === 1) return below(kind, names[0]!);
  const found = names.join(", ") || "none";
  throw new DataError(`Cannot convert ${store.name}: ${kind} are ${found}, one wanted`, {
    code: names.length === 0 ? "file-missing" : "several",
    hint: kind === "images" && names.length === 0
      ? "Pass --image SLIDE, in whose pixels obsm/spatial is; a table alone goes to st/ID.zarr as it is, beside patches/ID.h5"
      : "Write a store of one section: spatialdata's subset() of its elements, then write()",
    context: { file: store.name, kind, found: names },
  });
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

/** Columns beside those that are written in any case. */
function othersOf(frame: Frame, own: readonly string[]): Record<string, NewColumn> {
  return Object.fromEntries(Object.entries(columnsOf(frame)).filter(([name]) => !own.includes(name)));
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
