/**
 * Simplified outlines and chosen tiles for `slide_grid.py`: cases as JSON on standard input, answers on standard output.
 *
 *     deno run -A tests/python/slide_grid_ours.ts < cases.json > answers.json
 */

import { chooseTiles, type GridKind, layGrid } from "../../src/slides/grid.ts";
import { simplify } from "../../src/slides/simplify.ts";

interface Case {
  polygons: number[][][][];
  width: number;
  height: number;
  um: number;
  kind: GridKind;
  minTissue: number;
  tolerance: number;
}

const cases: Case[] = JSON.parse(await new Response(Deno.stdin.readable).text());
const answers = cases.map(({ polygons, width, height, um, kind, minTissue, tolerance }) => {
  const outlines = polygons.map(([exterior, ...holes]) => ({
    exterior: Float64Array.from(exterior!.flat()),
    holes: holes.map((hole) => Float64Array.from(hole.flat())),
  }));
  const slide = { name: "made", levels: [{ width, height, downsample: 1 }], um };
  return {
    simple: simplify(outlines, tolerance).map(({ exterior, holes }) =>
      [exterior, ...holes].map((ring) => Array.from(ring))
    ),
    coords: Array.from(chooseTiles(slide, layGrid(slide, kind), outlines, { minTissue }).coords),
  };
});
console.log(JSON.stringify(answers));
