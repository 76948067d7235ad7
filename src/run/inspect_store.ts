/**
 * What is in a store of zarr that is no volume: a table of anndata, or SpatialData with its images, shapes and tables.
 *
 * @module
 */

import { openStoreSlide, readShapes } from "../data/convert/spatialdata_parts.ts";
import { disk } from "../io/fs.ts";
import { isTyped } from "../io/system_error.ts";
import { openStoreTable } from "../io/zarr/anndata_copy.ts";
import { ZarrFolder } from "../io/zarr/zarr.ts";
import { below, namesOf } from "../io/zarr/zarr_box.ts";
import { first, type Inspection, type InspectOptions, type Target } from "./inspection.ts";
import { count } from "../core/text_table.ts";

/** Kinds of elements, as SpatialData's folders are named. */
const KINDS = ["images", "labels", "points", "shapes", "tables"] as const;

/** An element. */
interface Element {
  readonly path: string;
  /** What it is, or why it cannot be read. */
  readonly what: string;
  readonly problem?: boolean;
}

/** Whether a folder is such a store. */
export function isStore({ path, names }: Target): boolean {
  if (!names?.some((name) => name === "zarr.json" || name === ".zattrs" || name === ".zgroup")) return false;
  const store = new ZarrFolder(disk, path);
  if (store.kind() !== "group") return false;
  const attributes = store.attributes();
  return attributes["encoding-type"] === "anndata" || "spatialdata_attrs" in attributes ||
    KINDS.some((kind) => names.includes(kind) && store.kind(kind) === "group");
}

/** Looks into a store. */
export async function inspect({ path, names }: Target, { limit }: InspectOptions): Promise<Inspection> {
  const store = new ZarrFolder(disk, path);
  const isTable = store.attributes()["encoding-type"] === "anndata";
  const paths = isTable
    ? [""]
    : KINDS.flatMap((kind) =>
      store.kind(kind) === "group" ? namesOf(store, kind).map((name) => below(kind, name)) : []
    );
  const elements: Element[] = [];
  for (const element of paths) elements.push(await elementOf(store, element));
  const format = `${isTable ? "table of anndata" : "SpatialData"}, zarr ${names!.includes("zarr.json") ? 3 : 2}`;
  const failed = elements.filter(({ problem }) => problem).length;
  return {
    failed,
    json: { kind: "store", format, elements },
    facts: [
      ["store", path],
      ["format", format],
      ["elements", isTable ? elements[0]!.what : count(elements.length, "element")],
      [
        "next",
        isTable
          ? `deno task convert anndata ${path} OUT.h5ad; deno task convert zarr ${path} --image SLIDE --out DIR`
          : `deno task convert zarr ${path} --out DIR`,
      ],
    ],
    listings: isTable ? tableListing(store, limit) : [{
      title: ["element", ""],
      rows: first(elements, limit).map(({ path, what }) => [path, what]),
      total: elements.length,
    }],
  };
}

async function elementOf(store: ZarrFolder, path: string): Promise<Element> {
  try {
    return { path, what: await whatIs(store, path) };
  } catch (error) {
    if (!isTyped(error)) throw error;
    return { path, what: (error as Error).message, problem: true };
  }
}

async function whatIs(store: ZarrFolder, path: string): Promise<string> {
  const [kind] = path.split("/");
  if (kind === "" || kind === "tables") {
    using table = await openStoreTable(store, path, ["obs", "var"]);
    const { region } = store.attributes(path);
    const of = region === undefined ? "" : `, of ${[region].flat().join(", ")}`;
    return `${count(table.obs.index.length, "spot")} x ${count(table.var.index.length, "gene")}${of}`;
  }
  if (kind === "images") {
    const { slide } = await openStoreSlide(store, path);
    const { width, height } = slide.levels[0]!;
    return `${width} x ${height} pixels, ${count(slide.levels.length, "level")}`;
  }
  if (kind !== "shapes") return "";
  const shapes = await readShapes(store, path);
  const circles = shapes.filter(({ centre }) => centre !== undefined).length;
  return [
    ...(circles > 0 ? [count(circles, "circle")] : []),
    ...(shapes.length > circles ? [count(shapes.length - circles, "outline")] : []),
  ].join(", ");
}

/** Parts of a table: what is in each. */
function tableListing(store: ZarrFolder, limit: number): NonNullable<Inspection["listings"]> {
  const parts = namesOf(store, "").map((name) => {
    if (store.kind(name) === "array") return [name, ""];
    const order = store.attributes(name)["column-order"];
    const inside = Array.isArray(order) ? order.map(String) : name === "X" ? [] : namesOf(store, name);
    return [name, `${inside.slice(0, 8).join(", ")}${inside.length > 8 ? `, ${inside.length - 8} more` : ""}`];
  });
  return [{ title: ["part", ""], rows: first(parts, limit), total: parts.length }];
}
