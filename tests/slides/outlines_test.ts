/** Tissue and regions from files of other programs, and files for them. */

import assert from "node:assert/strict";
import { type ConfigError, type DataError, FormatError } from "../../src/core/errors.ts";
import { ringArea } from "../../src/data/image/mask.ts";
import { parseGeoJson } from "../../src/io/geojson.ts";
import { encodeJpeg } from "../../src/io/image/jpeg_write.ts";
import { encodePng } from "../../src/io/image/png_write.ts";
import { chooseTiles, layGrid } from "../../src/slides/grid.ts";
import { contoursGeoJson, readOutlines, squaresOf, tilesGeoJson, withinRegions } from "../../src/slides/outlines.ts";
import { Coverage } from "../../src/data/image/polygons.ts";

const utf8 = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const SLIDE = { name: "s.svs", width: 1000, height: 500 };
const SQUARE = [[[100, 100], [300, 100], [300, 300], [100, 300], [100, 100]], [[150, 150], [200, 150], [200, 200], [
  150,
  200,
], [150, 150]]];
const areaOf = (outlines: ReturnType<typeof readOutlines>) => new Coverage(outlines).area(0, 0, 1000);

Deno.test("Polygons of QuPath and any GeoJSON are tissue: collections, features, bare polygons, by class", () => {
  const qupath = (name: string, coordinates: unknown) => ({
    type: "Feature",
    properties: { objectType: "annotation", classification: { name, color: [1, 2, 3] } },
    geometry: { type: "Polygon", coordinates },
  });
  const polygon = { type: "Polygon", coordinates: SQUARE };
  const shapes = [
    { type: "FeatureCollection", features: [qupath("Tumor", SQUARE)] },
    [qupath("Tumor", SQUARE)],
    qupath("Tumor", SQUARE),
    polygon,
    { type: "MultiPolygon", coordinates: [SQUARE] },
    { type: "GeometryCollection", geometries: [polygon] },
  ];
  for (const shape of shapes) assert.equal(areaOf(readOutlines(utf8(shape), "t.geojson", SLIDE)), 40_000 - 2500);
  const other = SQUARE.slice(0, 1).map((ring) => ring.map(([x, y]) => [x! + 400, y!]));
  const two = utf8({ type: "FeatureCollection", features: [qupath("Tumor", SQUARE), qupath("Fat", other)] });
  assert.equal(areaOf(readOutlines(two, "t.geojson", SLIDE)), 77_500);
  assert.equal(areaOf(readOutlines(two, "t.geojson", SLIDE, ["Fat"])), 40_000);
  assert.throws(
    () => readOutlines(two, "t.geojson", SLIDE, ["Blood"]),
    (e: ConfigError) => /its classes are Tumor, Fat/.test(e.message),
  );
  assert.deepEqual(readOutlines(utf8({ type: "FeatureCollection", features: [] }), "t.geojson", SLIDE), []);
  const far = utf8({ type: "Polygon", coordinates: [SQUARE[0]!.map(([x, y]) => [x! + 5000, y!])] });
  assert.throws(
    () => readOutlines(far, "t.geojson", SLIDE),
    (e: DataError) => /beyond 1000x500/.test(e.message) && e.exitCode === 4,
  );
  for (const bad of [{ type: "Point", coordinates: [1, 2] }, { type: "FeatureCollection" }, 5, null]) {
    assert.throws(() => readOutlines(utf8(bad), "t.geojson", SLIDE), FormatError);
  }
});

Deno.test("Images of masks are tissue where they are not black, scaled to the slide, if they have its shape", () => {
  const data = new Uint8Array(100 * 50 * 3);
  for (let y = 10; y < 30; y++) for (let x = 20; x < 60; x++) data[(y * 100 + x) * 3 + 1] = 1;
  const png = encodePng({ width: 100, height: 50, data });
  const [outline] = readOutlines(png, "m.png", SLIDE);
  assert.deepEqual([Math.min(...outline!.exterior), ringArea(outline!.exterior)], [100, 400 * 200]);
  const jpeg = encodeJpeg({ width: 100, height: 50, data: data.map((value) => 250 * value) }, 80);
  const area = areaOf(readOutlines(jpeg, "m.jpg", SLIDE));
  assert.ok(Math.abs(area / 80_000 - 1) < 0.1, `${area}`);
  // A pixel off by rounding is none.
  readOutlines(png, "m.png", { name: "s", width: 1003, height: 495 });
  assert.throws(() => readOutlines(png, "m.png", { name: "s.svs", width: 500, height: 1000 }), (e: DataError) => {
    return /m\.png for s\.svs: it has 100x50 pixels, the shape of 500x1000 wanted/.test(e.message);
  });
  assert.deepEqual(readOutlines(encodePng({ width: 4, height: 2, data: new Uint8Array(24) }), "m.png", SLIDE), []);
});

Deno.test("Regions cut a mask by the centres of its pixels, holes left out", () => {
  const mask = { width: 10, height: 5, mask: new Uint8Array(50).fill(1) };
  const regions = readOutlines(utf8({ type: "Polygon", coordinates: SQUARE }), "r.geojson", SLIDE);
  const found = withinRegions(mask, [0.01, 0.01], regions).mask;
  assert.deepEqual([...found].flatMap((value, i) => value ? [i] : []), [12, 21, 22]);
  const rest = withinRegions({ ...mask, mask: mask.mask.map((_, i) => i % 2) }, [0.01, 0.01], regions).mask;
  assert.deepEqual([...rest].flatMap((value, i) => value ? [i] : []), [21]);
});

Deno.test("Outlines are written for TRIDENT and QuPath, and read again", () => {
  const outlines = readOutlines(utf8({ type: "Polygon", coordinates: SQUARE }), "r.geojson", SLIDE);
  const trident = JSON.parse(contoursGeoJson(outlines));
  assert.equal(trident.crs.properties.name, "urn:ogc:def:crs:EPSG::3857");
  assert.deepEqual(trident.features[0].properties, { tissue_id: 0 });
  assert.deepEqual(trident.features[0].geometry.coordinates, SQUARE);
  const qupath = JSON.parse(contoursGeoJson(outlines, "qupath"));
  assert.equal(qupath.crs, undefined);
  assert.deepEqual(qupath.features[0].properties.classification, { name: "Tissue", color: [200, 0, 0] });
  const again = parseGeoJson(new TextEncoder().encode(contoursGeoJson(outlines, "qupath")), "a");
  assert.deepEqual(again.map(({ exterior, holes, label }) => [[...exterior], holes.length, label]), [[
    SQUARE[0]!.flat(),
    1,
    "Tissue",
  ]]);
  assert.deepEqual(JSON.parse(contoursGeoJson([])).features, []);
});

Deno.test("Tiles are squares with measurements: areas add up, numbers that are none are left out", () => {
  const slide = { name: "s", levels: [{ width: 1000, height: 500, downsample: 1 }], um: 0.5 };
  const grid = layGrid(slide, { scale: "nominal", magnification: 20, patch: 100, overlap: 0 });
  const { cells } = chooseTiles(slide, grid, undefined, { minTissue: 0 });
  const score = Float32Array.from(cells, (cell) => cell === 3 ? NaN : cell / 2);
  const parse = (flavour: "qupath" | "qupath04") =>
    JSON.parse([...tilesGeoJson(squaresOf(grid, cells), { score }, flavour)].join(""));
  const { features } = parse("qupath");
  assert.equal(features.length, 50);
  assert.deepEqual(features[12].properties, { objectType: "tile", name: "x2y1", measurements: { score: 6 } });
  assert.deepEqual(features[3].properties.measurements, {});
  const area = features.reduce(
    (sum: number, f: { geometry: { coordinates: [number, number][][] } }) =>
      sum + ringArea(f.geometry.coordinates[0]!.flat()),
    0,
  );
  assert.equal(area, 500_000);
  assert.deepEqual(parse("qupath04").features[12].properties.measurements, [{ name: "score", value: 6 }]);
});
