/**
 * Polygons of HEST in GeoJSON, of both generations: a FeatureCollection of polygons with holes in them, and a list of
 * features whose MultiPolygons have one ring each, with holes told by number.
 *
 * Coordinates are x, y in pixels of the slide's largest level, whatever a `crs` claims.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";

/** A polygon. */
export interface Polygon {
  /** Outline `[n, 2]`, closed: the last point is the first. */
  readonly exterior: Float64Array;
  /** Outlines of the holes. */
  readonly holes: readonly Float64Array[];
  /** Piece of tissue it belongs to, where the file tells. */
  readonly tissueId: number | undefined;
  /** Class of the feature. Xenium's cell files number arbitrary chunks here, so theirs is left out. */
  readonly label: string | undefined;
}

type Json = Record<string, unknown>;

/**
 * Reads polygons.
 *
 * @throws {FormatError} Naming the feature and what is wrong with it.
 */
export function parseGeoJson(bytes: Uint8Array, name: string): Polygon[] {
  let tree: unknown;
  try {
    tree = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw problem(name, "", `no JSON (${(cause as Error).message})`, "GeoJSON", cause);
  }
  const legacy = Array.isArray(tree);
  const features = legacy ? tree as unknown[] : featuresOf(object(tree));
  if (features === undefined) {
    const found = tree !== null && typeof tree === "object" ? `type ${(tree as Json)["type"]}` : String(tree);
    throw problem(name, "", found, "a FeatureCollection or a list of features");
  }
  const chunks = legacy && areChunks(features);
  return features.flatMap((feature: unknown, i) => readFeature(name, `features[${i}]`, feature, legacy, chunks));
}

/** Features of what stands at the top; undefined where it is none of GeoJSON with polygons. */
function featuresOf(tree: Json): unknown[] | undefined {
  const { type, features, geometries } = tree;
  if (type === "FeatureCollection") return Array.isArray(features) ? features : undefined;
  if (type === "Feature") return [tree];
  if (type === "GeometryCollection" && Array.isArray(geometries)) return geometries.map((geometry) => ({ geometry }));
  return type === "Polygon" || type === "MultiPolygon" ? [{ geometry: tree }] : undefined;
}

function problem(name: string, path: string, found: string, expected: string, cause?: unknown): FormatError {
  return new FormatError(`Cannot read ${name}${path && `:${path}`}: ${found}, expected ${expected}`, {
    context: { file: name, path, found, expected },
    cause,
  });
}

function object(value: unknown): Json {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value as Json : {};
}

function classOf(feature: unknown): string | undefined {
  const label = object(object(object(feature)["properties"])["classification"])["name"];
  return label === undefined || label === null ? undefined : String(label);
}

/** Whether the classes are the numbers 0 to 9 under which Xenium's cells are stored in ten chunks. */
function areChunks(features: readonly unknown[]): boolean {
  return features.length === 10 &&
    features.every((feature, i) =>
      classOf(feature) === String(i) && !("hole" in object(object(feature)["properties"]))
    );
}

function readFeature(name: string, path: string, feature: unknown, legacy: boolean, chunks: boolean): Polygon[] {
  const geometry = object(object(feature)["geometry"]);
  const { type, coordinates } = geometry;
  if ((type !== "Polygon" && type !== "MultiPolygon") || !Array.isArray(coordinates)) {
    throw problem(name, `${path}.geometry`, `type ${type}`, "a Polygon or MultiPolygon");
  }
  const label = chunks ? undefined : classOf(feature);
  const properties = object(object(feature)["properties"]);
  const hole = properties["hole"];
  const tissueId = idOf(properties["tissue_id"] ?? (hole === undefined ? undefined : label));
  const place = `${path}.geometry.coordinates`;
  const parts = (type === "Polygon" ? [coordinates] : coordinates).map((rings: unknown, i) => {
    if (!Array.isArray(rings) || rings.length === 0) throw problem(name, `${place}[${i}]`, "no rings", "an outline");
    return rings.map((ring: unknown, j) => readRing(name, `${place}[${i}][${j}]`, ring));
  });
  if (!legacy || hole === undefined) {
    return parts.map(([exterior, ...holes]) => ({ exterior: exterior!, holes, tissueId, label }));
  }
  const rings = parts.flat();
  return withHoles(name, `${path}.properties.hole`, rings, holeNumbers(name, path, hole, rings.length)).map((
    polygon,
  ) => ({
    ...polygon,
    tissueId,
    label,
  }));
}

function idOf(value: unknown): number | undefined {
  const id = typeof value === "number" ? value : typeof value === "string" && value.trim() !== "" ? Number(value) : NaN;
  return Number.isInteger(id) ? id : undefined;
}

function readRing(name: string, path: string, ring: unknown): Float64Array {
  if (!Array.isArray(ring) || ring.length < 3) {
    throw problem(name, path, `${Array.isArray(ring) ? ring.length : "no"} points`, "3 or more");
  }
  const [first, last] = [ring[0] as number[], ring.at(-1) as number[]];
  const closed = Array.isArray(first) && Array.isArray(last) && first[0] === last[0] && first[1] === last[1];
  const out = new Float64Array(2 * (ring.length + (closed ? 0 : 1)));
  for (let i = 0; i < ring.length; i++) {
    const point = ring[i] as unknown[];
    if (!Array.isArray(point) || !Number.isFinite(point[0]) || !Number.isFinite(point[1])) {
      throw problem(name, `${path}[${i}]`, JSON.stringify(point)?.slice(0, 40) ?? "nothing", "two numbers");
    }
    out[2 * i] = point[0] as number;
    out[2 * i + 1] = point[1] as number;
  }
  if (!closed) out.set(out.subarray(0, 2), 2 * ring.length);
  return out;
}

/** Numbers of the rings that are holes, from those numbers or from a flag for every ring. */
function holeNumbers(name: string, path: string, hole: unknown, rings: number): Set<number> {
  const list: unknown[] = Array.isArray(hole) ? hole : [hole];
  const place = `${path}.properties.hole`;
  if (list.length === rings && list.every((v) => typeof v === "boolean")) {
    return new Set(list.flatMap((flag, i) => flag ? [i] : []));
  }
  const bad = list.find((v) => !Number.isInteger(v) || (v as number) < 0 || (v as number) >= rings);
  if (bad !== undefined) throw problem(name, place, JSON.stringify(bad), `numbers from 0 to ${rings - 1}`);
  const numbers = new Set(list as number[]);
  // Numbers of rings do not repeat; a list as long as the rings with repeated 0 and 1 has flags.
  const flags = list.length === rings && numbers.size < list.length && list.every((v) => v === 0 || v === 1);
  return flags ? new Set(list.flatMap((flag, i) => flag === 1 ? [i] : [])) : numbers;
}

function withHoles(
  name: string,
  path: string,
  rings: readonly Float64Array[],
  holes: ReadonlySet<number>,
): { exterior: Float64Array; holes: Float64Array[] }[] {
  const polygons = rings.flatMap((exterior, i) => holes.has(i) ? [] : [{ exterior, holes: [] as Float64Array[] }]);
  for (const i of holes) {
    const ring = rings[i]!;
    const around = polygons.find(({ exterior }) => insideRing(exterior, ring[0]!, ring[1]!));
    if (around === undefined) throw problem(name, path, `hole ${i} outside of every polygon`, "holes within polygons");
    around.holes.push(ring);
  }
  return polygons;
}

/** Whether a point lies within a closed outline, by the even-odd rule. */
export function insideRing(ring: Float64Array, x: number, y: number): boolean {
  let inside = false;
  for (let i = 0; i + 3 < ring.length; i += 2) {
    const [x0, y0, x1, y1] = [ring[i]!, ring[i + 1]!, ring[i + 2]!, ring[i + 3]!];
    if (y0 > y !== y1 > y && x < (x1 - x0) * (y - y0) / (y1 - y0) + x0) inside = !inside;
  }
  return inside;
}

/** Tissue as HEST writes it now: outlines closed, the outer one first, pieces numbered from 0 where they have no number. */
export function tissueGeoJson(polygons: readonly Pick<Polygon, "exterior" | "holes" | "tissueId">[]): string {
  const ring = (points: Float64Array) => {
    const out = Array.from({ length: points.length >> 1 }, (_, i) => [points[2 * i]!, points[2 * i + 1]!]);
    const [first, last] = [out[0], out.at(-1)];
    if (first && last && (first[0] !== last[0] || first[1] !== last[1])) out.push([...first]);
    return out;
  };
  const features = polygons.map(({ exterior, holes, tissueId }, i) => ({
    type: "Feature",
    properties: { tissue_id: tissueId ?? i },
    geometry: { type: "Polygon", coordinates: [exterior, ...holes].map(ring) },
  }));
  return `${JSON.stringify({ type: "FeatureCollection", features })}\n`;
}
