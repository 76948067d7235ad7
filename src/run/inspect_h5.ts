/**
 * What is in an HDF5 file: groups and datasets with their attributes; of anndata files spots and genes, of patch files patches, of
 * feature files rows and columns.
 *
 * @module
 */

import { openHostFile } from "../io/fs.ts";
import { H5File, type H5Value } from "../io/hdf5/h5.ts";
import { openPatches } from "../io/patches.ts";
import { first, type Inspection, type InspectOptions, type Target } from "./inspection.ts";
import { count, formatBytes } from "../core/text_table.ts";

/** Deepest group, and most objects looked at: links can lead in circles. */
const MAX_DEPTH = 16, MAX_OBJECTS = 10_000;

/** One object of a file. */
interface H5Row {
  readonly path: string;
  readonly kind: "group" | "dataset";
  readonly dtype?: string;
  readonly shape?: readonly number[] | null;
  readonly filters?: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Looks into a file. */
export async function inspect({ path, bytes }: Target, { limit }: InspectOptions): Promise<Inspection> {
  const file = await H5File.open(openHostFile(path, "read"));
  try {
    const rows = walk(file);
    const content = await contentOf(file, path);
    const datasets = rows.filter(({ kind }) => kind === "dataset");
    return {
      json: {
        kind: "hdf5",
        bytes,
        content: content.json,
        objects: {
          count: rows.length,
          datasets: datasets.length,
          complete: rows.length < MAX_OBJECTS,
          list: first(rows, limit),
        },
      },
      facts: [
        ["file", path],
        ["format", `HDF5, ${formatBytes(bytes)}`],
        ["objects", `${count(rows.length - datasets.length, "group")}, ${count(datasets.length, "dataset")}`],
        ...content.facts,
      ],
      listings: [{
        title: ["object", "type", "shape", "attributes"],
        rows: first(rows, limit).map(({ path, dtype = "group", shape, attributes }) => [
          path,
          dtype,
          shape ? `[${shape.join(", ")}]` : "",
          Object.entries(attributes).map(([key, value]) => `${key}=${brief(value)}`).join(" "),
        ]),
        total: rows.length,
      }],
    };
  } finally {
    file.close();
  }
}

/** All objects, groups before what is in them. */
function walk(file: H5File): H5Row[] {
  const rows: H5Row[] = [];
  const visit = (path: string, depth: number): void => {
    const kind = file.kind(path);
    if (kind === undefined || rows.length >= MAX_OBJECTS) return;
    const attributes = plainAttributes(file.attributes(path));
    if (kind === "dataset") {
      const { dtype, shape, filters } = file.info(path);
      rows.push({ path, kind, dtype, shape: shape ?? null, filters, attributes });
      return;
    }
    rows.push({ path, kind, attributes });
    if (depth >= MAX_DEPTH) return;
    for (const name of file.keys(path)) visit(path === "/" ? `/${name}` : `${path}/${name}`, depth + 1);
  };
  visit("/", 0);
  return rows;
}

/** Integers beyond 2^53 as text, since JSON has none. */
function plainAttributes(attributes: Record<string, H5Value>): Record<string, unknown> {
  const plain = (value: unknown): unknown => typeof value === "bigint" ? String(value) : value;
  return Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [key, Array.isArray(value) ? value.map(plain) : plain(value)]),
  );
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? "";
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** What the file is for, told by its names. */
async function contentOf(file: H5File, path: string): Promise<Inspection> {
  const has = (name: string) => file.kind(name) !== undefined;
  if (has("/obs") && has("/var") && has("/X")) return anndata(file);
  if (file.kind("/img") === "dataset") return await patches(path);
  const features = file.find(["/features", "/feats", "/embeddings"]);
  const shape = features === undefined ? undefined : file.info(features).shape;
  if (shape === undefined || shape.length < 2) return { json: { kind: "other" }, facts: [] };
  const [rows, columns] = shape.slice(-2);
  return { json: { kind: "features", rows, columns }, facts: [["content", `features: ${rows} rows of ${columns}`]] };
}

function anndata(file: H5File): Inspection {
  const given = file.kind("/X") === "dataset" ? file.info("/X").shape : file.attributes("/X")["shape"];
  const [spots, genes] = Array.isArray(given) ? given.map(Number) : [];
  const samples = file.kind("/uns/spatial") === "group" ? file.keys("/uns/spatial") : [];
  return {
    json: { kind: "anndata", spots: spots ?? null, genes: genes ?? null, samples },
    facts: [["content", `anndata: ${spots ?? "?"} spots, ${genes ?? "?"} genes`], ["samples", samples.join(", ")]],
  };
}

async function patches(path: string): Promise<Inspection> {
  const { generation, count: n, width, height, pixelSize, slidePixelSize, coordsOf, close } = await openPatches(
    openHostFile(path, "read"),
  );
  close();
  const size = pixelSize === undefined ? "pixel size not known" : `${pixelSize} micrometres a pixel`;
  return {
    json: {
      kind: "patches",
      generation,
      patches: n,
      width,
      height,
      pixelSize: pixelSize ?? null,
      slidePixelSize: slidePixelSize ?? null,
      coordsOf,
    },
    facts: [["content", `${n} patches of ${width} x ${height} px, ${size}, coordinates: ${coordsOf}`]],
  };
}
