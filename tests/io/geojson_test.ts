import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { insideRing, parseGeoJson, tissueGeoJson } from "../../src/io/geojson.ts";

const read = (tree: unknown) => parseGeoJson(new TextEncoder().encode(JSON.stringify(tree)), "t.geojson");
const square = (
  at: number,
  side: number,
) => [[at, at], [at + side, at], [at + side, at + side], [at, at + side], [at, at]];
const flat = (ring: number[][]) => Float64Array.from(ring.flat());
const multi = (rings: number[][][], properties: unknown) => ({
  type: "Feature",
  properties,
  geometry: { type: "MultiPolygon", coordinates: rings.map((ring) => [ring]) },
});

Deno.test("parseGeoJson() reads tissue of both generations as the same polygons", () => {
  const current = read({
    type: "FeatureCollection",
    crs: { type: "name", properties: { name: "urn:ogc:def:crs:OGC:1.3:CRS84" } },
    features: [{
      type: "Feature",
      properties: { tissue_id: 3 },
      geometry: { type: "Polygon", coordinates: [square(0, 100), square(10, 5)] },
    }],
  });
  const want = [{ exterior: flat(square(0, 100)), holes: [flat(square(10, 5))], tissueId: 3, label: undefined }];
  assert.deepEqual(current, want);
  for (const hole of [[1], 1, [false, true]]) {
    const legacy = read([multi([square(0, 100), square(10, 5)], { classification: { name: "3" }, hole })]);
    assert.deepEqual(legacy, [{ ...want[0], label: "3" }]);
  }
  const three = [square(0, 100), square(10, 5), square(200, 50)];
  for (const hole of [[0, 1, 0], [1], [false, true, false]]) {
    const legacy = read([multi(three, { classification: { name: 0 }, hole })]);
    assert.deepEqual(legacy.map(({ holes, tissueId }) => [holes.length, tissueId]), [[1, 0], [0, 0]]);
  }
  assert.equal(read([multi([square(0, 9)], { classification: { name: "0" }, hole: [] })])[0]!.holes.length, 0);
});

Deno.test("parseGeoJson() reads cells by class, and does not take chunks for classes", () => {
  const cells = ["Neoplastic", "Dead"].map((name, i) =>
    multi([square(i, 4), square(20, 4)], { objectType: "annotation", classification: { name, color: [1, 2, 3] } })
  );
  assert.deepEqual(read(cells).map(({ label }) => label), ["Neoplastic", "Neoplastic", "Dead", "Dead"]);
  const chunks = Array.from({ length: 10 }, (_, i) => multi([square(i, 4)], { classification: { name: String(i) } }));
  assert.deepEqual(read(chunks).map(({ label }) => label), Array(10).fill(undefined));
  assert.deepEqual(read(chunks.slice(1)).map(({ label }) => label), [..."123456789"]);
});

Deno.test("parseGeoJson() closes open rings, and tissueGeoJson() writes what is read", () => {
  const open = {
    type: "Feature",
    properties: null,
    geometry: { type: "Polygon", coordinates: [square(0, 4).slice(0, 4)] },
  };
  const polygons = read({ type: "FeatureCollection", features: [open] });
  assert.deepEqual(polygons[0]!.exterior, flat(square(0, 4)));
  const text = tissueGeoJson([{
    exterior: flat(square(0, 9).slice(0, 4)),
    holes: [flat(square(2, 2))],
    tissueId: undefined,
  }]);
  assert.deepEqual(parseGeoJson(new TextEncoder().encode(text), "t"), [
    { exterior: flat(square(0, 9)), holes: [flat(square(2, 2))], tissueId: 0, label: undefined },
  ]);
  assert.deepEqual([insideRing(flat(square(0, 4)), 2, 2), insideRing(flat(square(0, 4)), 5, 2)], [true, false]);
});

Deno.test("parseGeoJson() names the feature it refuses", () => {
  const one = (geometry: unknown) => ({ type: "FeatureCollection", features: [{ type: "Feature", geometry }] });
  const cases: [unknown, RegExp][] = [
    [{ type: "Topology" }, /t\.geojson: type Topology, expected a FeatureCollection or a list of features/],
    [3, /3, expected a FeatureCollection/],
    [one({ type: "Point", coordinates: [1, 2] }), /:features\[0\]\.geometry: type Point, expected a Polygon/],
    [one(null), /type undefined/],
    [one({ type: "Polygon", coordinates: [] }), /coordinates\[0\]: no rings/],
    [one({ type: "Polygon", coordinates: [[[1, 2]]] }), /coordinates\[0\]\[0\]: 1 points, expected 3 or more/],
    [
      one({ type: "Polygon", coordinates: [[[1, 2], [3, "x"], [4, 5]]] }),
      /\[0\]\[0\]\[1\]: \[3,"x"\], expected two numbers/,
    ],
    [[multi([square(0, 4)], { hole: [4] })], /features\[0\]\.properties\.hole: 4, expected numbers from 0 to 0/],
    [[multi([square(0, 4), square(9, 2)], { hole: [1] })], /hole 1 outside of every polygon/],
  ];
  for (const [tree, pattern] of cases) {
    assert.throws(
      () => read(tree),
      (e: FormatError) => e instanceof FormatError && pattern.test(e.message),
      String(pattern),
    );
  }
  assert.throws(() => parseGeoJson(new TextEncoder().encode("{"), "t"), /t: no JSON \(/);
});
