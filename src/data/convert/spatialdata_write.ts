/**
 * A sample in HEST's layout as a store of SpatialData: the slide as OME-Zarr with its pyramid, spots as circles, outlines of
 * tissue as polygons, and the table, which anndata opens by itself. All lie in one coordinate system, pixels of level 0.
 *
 * Source: https://spatialdata.scverse.org/en/stable/design_doc.html, as spatialdata 0.7 writes its container format 0.1.
 *
 * @module
 */

import type { Column, Frame } from "../../io/hdf5/h5ad_frame.ts";
import type { H5ad } from "../../io/hdf5/h5ad.ts";
import { type NewColumn, type NewUns, writeH5ad } from "../../io/hdf5/h5ad_write.ts";
import type { Metadata } from "../../io/metadata.ts";
import { type ParquetColumns, ParquetWriter } from "../../io/parquet_write.ts";
import { wkbOfPoint, wkbOfPolygon } from "../../io/wkb.ts";
import { type ZarrPut, ZarrWriter } from "../../io/zarr/zarr_write.ts";
import type { HostFile } from "../../io/disk.ts";
import type { Outline } from "../image/polygons.ts";
import type { Slide } from "../image/slide.ts";

/** Names of a store's elements. */
export const ELEMENTS = {
  image: "images/image",
  spots: "shapes/spots",
  tissue: "shapes/tissue",
  table: "tables/table",
};
/** Columns of the table that say which circle a spot is. */
const REGION = "region";
const INSTANCE = "spot_id";
/** Side of a chunk of the image. */
const CHUNK = 1024;

/** What a store is made of. */
export interface SpatialSample {
  readonly table: H5ad;
  readonly metadata: Metadata;
  readonly slide: Slide | undefined;
  readonly tissue: readonly Outline[] | undefined;
  /** Diameter of a spot, pixels of level 0. */
  readonly spotDiameter: number;
}

/** Where a store goes: small files whole, and files filled at any place. */
export interface StoreTarget {
  readonly put: ZarrPut;
  readonly fill: (path: string, fill: (file: HostFile) => void) => void;
}

/**
 * Writes a store.
 *
 * @param onRows Told which share of the slide was read.
 * @throws {FormatError} If what is read is damaged.
 */
export async function writeSpatialData(
  name: string,
  target: StoreTarget,
  sample: SpatialSample,
  onRows: (share: number) => void = () => {},
): Promise<void> {
  const zarr = new ZarrWriter(name, target.put);
  zarr.attribute("/", "spatialdata_attrs", { version: "0.1" });
  for (const group of ["images", "shapes", "tables"]) zarr.group(group);
  if (sample.slide !== undefined) await writeImage(zarr, sample.slide, onRows);
  writeSpots(zarr, target, sample);
  if (sample.tissue !== undefined) writeTissue(zarr, target, sample.tissue);
  writeTable(zarr, sample);
  zarr.close();
}

/** The axes of a coordinate system, and the step from it to the one all share. */
function identity(axes: string): Readonly<Record<string, unknown>> {
  const named = [...axes].map((name) =>
    name === "c" ? { name, type: "channel" } : { name, type: "space", unit: "unit" }
  );
  const system = (name: string) => ({ name, axes: named });
  return { type: "identity", input: system(axes), output: system("global") };
}

async function writeImage(zarr: ZarrWriter, slide: Slide, onRows: (share: number) => void): Promise<void> {
  const path = ELEMENTS.image;
  zarr.group(path);
  const full = slide.levels[0]!;
  zarr.attribute(path, "multiscales", [{
    name: `/${path}`,
    version: "0.4-dev-spatialdata",
    axes: [{ name: "c", type: "channel" }, { name: "y", type: "space" }, { name: "x", type: "space" }],
    coordinateTransformations: [identity("cyx")],
    datasets: slide.levels.map(({ width, height }, number) => ({
      path: `s${number}`,
      coordinateTransformations: [{ type: "scale", scale: [1, full.height / height, full.width / width] }],
    })),
  }]);
  zarr.attribute(path, "omero", { channels: ["r", "g", "b"].map((label) => ({ label })) });
  zarr.attribute(path, "spatialdata_attrs", { version: "0.2" });
  for (const [number, { width, height }] of slide.levels.entries()) {
    const place = `${path}/s${number}`;
    const chunks = [3, Math.min(CHUNK, height), Math.min(CHUNK, width)] as const;
    zarr.array(place, { dtype: "u1", shape: [3, height, width], chunks, separator: "/" });
    for (let row = 0; row * chunks[1] < height; row++) {
      for (let column = 0; column * chunks[2] < width; column++) {
        const { data } = await slide.read(number, column * chunks[2], row * chunks[1], chunks[2], chunks[1]);
        zarr.chunk(place, [0, row, column], planesOf(data));
      }
      if (number === 0) onRows(Math.min(1, (row + 1) * chunks[1] / height));
    }
  }
}

/** The colours of pixels behind each other. */
function planesOf(rgb: Uint8Array): Uint8Array {
  const count = rgb.length / 3;
  const out = new Uint8Array(rgb.length);
  for (let i = 0; i < count; i++) for (let c = 0; c < 3; c++) out[c * count + i] = rgb[3 * i + c]!;
  return out;
}

function shapes(
  zarr: ZarrWriter,
  { fill }: StoreTarget,
  path: string,
  columns: ParquetColumns,
  kind: string,
  values: Parameters<ParquetWriter["add"]>[0],
): void {
  zarr.group(path);
  zarr.attribute(path, "encoding-type", "ngff:shapes");
  zarr.attribute(path, "axes", ["x", "y"]);
  zarr.attribute(path, "coordinateTransformations", [identity("xy")]);
  zarr.attribute(path, "spatialdata_attrs", { version: "0.2" });
  const geo = {
    version: "1.0.0",
    primary_column: "geometry",
    columns: { geometry: { encoding: "WKB", crs: null, geometry_types: [kind] } },
  };
  fill(`${path}/shapes.parquet`, (file) => {
    const writer = new ParquetWriter(file, columns, { geo: JSON.stringify(geo) });
    writer.add(values);
    writer.finish();
  });
}

function writeSpots(zarr: ZarrWriter, target: StoreTarget, { table, spotDiameter }: SpatialSample): void {
  const places = table.spatial();
  const count = places.length / 2;
  const geometry = Array.from({ length: count }, (_, i) => wkbOfPoint(places[2 * i]!, places[2 * i + 1]!));
  const radius = new Float64Array(count).fill(spotDiameter / 2);
  shapes(zarr, target, ELEMENTS.spots, { geometry: "bytes", radius: "f8" }, "Point", { geometry, radius });
}

function writeTissue(zarr: ZarrWriter, target: StoreTarget, tissue: readonly Outline[]): void {
  shapes(zarr, target, ELEMENTS.tissue, { geometry: "bytes", tissue_id: "i8" }, "Polygon", {
    geometry: tissue.map((outline) => wkbOfPolygon(outline)),
    tissue_id: BigInt64Array.from(tissue, (_, i) => BigInt(i)),
  });
}

function writeTable(zarr: ZarrWriter, { table, metadata }: SpatialSample): void {
  const path = ELEMENTS.table;
  const region = ELEMENTS.spots.replace(/^.*\//, "");
  const count = table.obs.index.length;
  const own = { codes: new Int32Array(count), categories: [region] };
  const below = (place: string) => place === "/" ? path : `${path}${place}`;
  zarr.group(path);
  writeH5ad({
    name: `${zarr.name}/${path}`,
    group: (place) => zarr.group(below(place)),
    attribute: (place, name, value) => zarr.attribute(below(place), name, value),
    dataset: (place, ...rest) => zarr.dataset(below(place), ...rest),
    rows: (place, ...rest) => zarr.rows(below(place), ...rest),
    strings: (place, values, shape) => zarr.strings(below(place), values, shape),
  }, {
    obs: {
      index: table.obs.index,
      columns: { ...columnsOf(table.obs), [REGION]: own, [INSTANCE]: Int32Array.from({ length: count }, (_, i) => i) },
    },
    var: { index: table.var.index, columns: columnsOf(table.var) },
    x: table.x,
    layers: Object.fromEntries(table.layers.map((name) => [name, table.layer(name)!])),
    obsm: Object.fromEntries(table.obsm.map((name) => {
      const { columns, values } = table.points(name)!;
      return [name, { shape: [count, columns], values }];
    })),
    uns: {
      spatialdata_attrs: { region, region_key: REGION, instance_key: INSTANCE },
      hest: saidOf(metadata),
    },
  });
  const told = { "spatialdata-encoding-type": "ngff:regions_table", version: "0.1" };
  const attributes = { ...told, region, region_key: REGION, instance_key: INSTANCE };
  for (const [name, value] of Object.entries(attributes)) zarr.attribute(path, name, value);
}

/** What the metadata say, without what is missing. */
function saidOf(metadata: Metadata): Record<string, NewUns> {
  const said: Record<string, NewUns> = {};
  for (const [name, value] of metadata.values) {
    if (typeof value === "string") said[name] = value;
    else if (typeof value === "number") said[name] = { shape: [], values: Float64Array.of(value) };
  }
  return said;
}

/** Columns of a table to write, without those that say which shape a row is of. */
export function columnsOf(frame: Frame): Record<string, NewColumn> {
  return Object.fromEntries(
    frame.columns.filter((name) => name !== REGION && name !== INSTANCE).map((name) => [
      name,
      columnOf(frame.column(name)!),
    ]),
  );
}

function columnOf(column: Column): NewColumn {
  if (column.kind === "category") return column;
  if (column.kind === "flag") return Int32Array.from(column.values, Number);
  if (column.kind === "number") {
    const whole = column.values.every((value) => value === (value | 0));
    return whole ? Int32Array.from(column.values) : column.values;
  }
  if (column.values.every((value) => value !== undefined)) return column.values as readonly string[];
  // Only categories can say that a text is missing.
  const categories = [...new Set(column.values.filter((value) => value !== undefined))];
  const codes = new Map(categories.map((name, code) => [name, code]));
  return { codes: Int32Array.from(column.values, (value) => value === undefined ? -1 : codes.get(value)!), categories };
}
