/**
 * Polygons and squares: how much of a square polygons cover, exactly, and whether they touch it. Where several meet in a square
 * their union counts, and every polygon goes by the even-odd rule.
 *
 * @module
 */

import { type Box, boxOf, ringArea } from "./mask.ts";
import { insideRing, type Polygon } from "../../io/geojson.ts";

/** Outline and holes, closed, x and y in turn. */
export type Outline = Pick<Polygon, "exterior" | "holes">;

/** A straight piece of an outline: from above to below, where it is not level, and how it turns. */
interface Edge {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
  /** 1 where the polygon lies to the right of it, -1 where it lies to the left: for rings that do not cross themselves. */
  readonly sign: 1 | -1;
}

interface Shape {
  readonly outline: Outline;
  readonly box: Box;
  /** Edges by bands of their y. */
  readonly bands: readonly (readonly Edge[])[];
}

/** How many bands a polygon's edges are sorted into. */
const BANDS = 256;

/** Area that polygons cover of squares, and whether they touch them. */
export class Coverage {
  readonly #shapes: readonly Shape[];

  constructor(outlines: readonly Outline[]) {
    this.#shapes = outlines.map(shapeOf);
  }

  /** Area of the square, with left upper corner `x`, `y`, that the union of the polygons covers. */
  area(x: number, y: number, side: number): number {
    const box: Box = [x, y, x + side, y + side];
    const near = this.#shapes.filter((shape) => overlaps(shape.box, box));
    if (near.length === 0) return 0;
    if (near.length === 1) return Math.min(side * side, Math.max(0, areaOf(near[0]!, box)));
    return unionArea(near.map((shape) => edgesIn(shape, box)), box);
  }

  /** Whether the square and a polygon have a point in common. */
  touches(x: number, y: number, side: number): boolean {
    const box: Box = [x, y, x + side, y + side];
    return this.#shapes.some((shape) =>
      overlaps(shape.box, box) &&
      (edgesIn(shape, box).some((edge) => meets(edge, box)) || levelMeets(shape.outline, box) ||
        holds(shape.outline, x, y))
    );
  }
}

function shapeOf(outline: Outline): Shape {
  const box = boxOf(outline.exterior);
  const bands: Edge[][] = Array.from({ length: BANDS }, () => []);
  const height = (box[3] - box[1]) / BANDS || 1;
  for (const [k, ring] of [outline.exterior, ...outline.holes].entries()) {
    const turn = (ringArea(ring) > 0) === (k === 0) ? -1 : 1;
    for (let i = 0; i + 3 < ring.length; i += 2) {
      const [x0, y0, x1, y1] = [ring[i]!, ring[i + 1]!, ring[i + 2]!, ring[i + 3]!];
      if (y0 === y1) continue;
      const edge: Edge = y0 < y1
        ? { x0, y0, x1, y1, sign: turn }
        : { x0: x1, y0: y1, x1: x0, y1: y0, sign: -turn as 1 | -1 };
      const last = Math.min(BANDS - 1, Math.floor((edge.y1 - box[1]) / height));
      for (let band = Math.max(0, Math.floor((edge.y0 - box[1]) / height)); band <= last; band++) {
        bands[band]!.push(edge);
      }
    }
  }
  return { outline, box, bands };
}

function overlaps(a: Box, b: Box): boolean {
  return a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3];
}

/** Edges whose y meet the box, each once; those on its right are of no matter and left out. */
function edgesIn({ box, bands }: Shape, [, top, right, bottom]: Box): Edge[] {
  const height = (box[3] - box[1]) / BANDS || 1;
  const bandOf = (y: number) => Math.min(BANDS - 1, Math.max(0, Math.floor((y - box[1]) / height)));
  const [first, last] = [bandOf(top), bandOf(bottom)];
  const found: Edge[] = [];
  for (let band = first; band <= last; band++) {
    for (const edge of bands[band]!) {
      // An edge of several bands is taken in the first that is looked at.
      if (band !== first && bandOf(edge.y0) !== band) continue;
      if (edge.y1 >= top && edge.y0 <= bottom && Math.min(edge.x0, edge.x1) <= right) found.push(edge);
    }
  }
  return found;
}

/** x of an edge at y. */
function xAt({ x0, y0, x1, y1 }: Edge, y: number): number {
  return x0 + (x1 - x0) * ((y - y0) / (y1 - y0));
}

/** Area within the box: the integral over y of the edges' x, which counts no further left or right than the box. */
function areaOf(shape: Shape, box: Box): number {
  const [left, top, right, bottom] = box;
  let area = 0;
  for (const edge of edgesIn(shape, box)) {
    const [from, to] = [Math.max(top, edge.y0), Math.min(bottom, edge.y1)];
    if (to <= from) continue;
    area += edge.sign * beyond(xAt(edge, from), xAt(edge, to), to - from, left, right);
  }
  return area;
}

/** Integral of `right` less x, kept between 0 and the width of the box, over an edge of this height. */
function beyond(a: number, b: number, height: number, left: number, right: number): number {
  const [low, high] = [Math.min(a, b), Math.max(a, b)];
  if (high <= left) return (right - left) * height;
  if (low >= right) return 0;
  if (high === low) return (right - low) * height;
  // Parts of the edge left of the box, within it and right of it, as shares of its height.
  const [within0, within1] = [Math.max(low, left), Math.min(high, right)];
  const leftShare = Math.max(0, left - low) / (high - low);
  const withinShare = (within1 - within0) / (high - low);
  return height * (leftShare * (right - left) + withinShare * (right - (within0 + within1) / 2));
}

/** Area of the union within the box: in strips between all places where edges begin, end or cross. */
function unionArea(shapes: readonly (readonly Edge[])[], box: Box): number {
  const [left, top, right, bottom] = box;
  const all = shapes.flatMap((edges, shape) => edges.map((edge) => ({ edge, shape })));
  const cuts = new Set<number>([top, bottom]);
  const note = (y: number) => void (y > top && y < bottom && cuts.add(y));
  for (const [i, { edge }] of all.entries()) {
    note(edge.y0);
    note(edge.y1);
    for (const x of [left, right]) if ((edge.x0 - x) * (edge.x1 - x) < 0) note(crossing(edge, x));
    for (let j = i + 1; j < all.length; j++) {
      const y = meetingOf(edge, all[j]!.edge);
      if (y !== undefined) note(y);
    }
  }
  const ys = [...cuts].sort((a, b) => a - b);
  let area = 0;
  for (let k = 0; k + 1 < ys.length; k++) {
    const middle = (ys[k]! + ys[k + 1]!) / 2;
    const marks = all.filter(({ edge }) => edge.y0 < middle && edge.y1 > middle).map(({ edge, shape }) => ({
      x: Math.min(right, Math.max(left, xAt(edge, middle))),
      shape,
    })).sort((a, b) => a.x - b.x);
    const inside = new Set<number>();
    let length = 0;
    for (const [m, { x, shape }] of marks.entries()) {
      if (!inside.delete(shape)) inside.add(shape);
      if (inside.size > 0) length += (marks[m + 1]?.x ?? right) - x;
    }
    area += length * (ys[k + 1]! - ys[k]!);
  }
  return area;
}

/** y at which an edge passes x. */
function crossing({ x0, y0, x1, y1 }: Edge, x: number): number {
  return y0 + (y1 - y0) * ((x - x0) / (x1 - x0));
}

/** y at which two edges cross; undefined where they do not. */
function meetingOf(a: Edge, b: Edge): number | undefined {
  const [from, to] = [Math.max(a.y0, b.y0), Math.min(a.y1, b.y1)];
  if (from >= to) return undefined;
  const [before, after] = [xAt(a, from) - xAt(b, from), xAt(a, to) - xAt(b, to)];
  return before * after < 0 ? from + (to - from) * (before / (before - after)) : undefined;
}

/** Whether an edge has a point in the closed box. */
function meets(edge: Edge, [left, top, right, bottom]: Box): boolean {
  const [from, to] = [Math.max(top, edge.y0), Math.min(bottom, edge.y1)];
  if (from > to) return false;
  const [a, b] = [xAt(edge, from), xAt(edge, to)];
  return Math.min(a, b) <= right && Math.max(a, b) >= left;
}

/** Whether a level piece of the outline has a point in the closed box. */
function levelMeets({ exterior, holes }: Outline, [left, top, right, bottom]: Box): boolean {
  return [exterior, ...holes].some((ring) => {
    for (let i = 0; i + 3 < ring.length; i += 2) {
      const [x0, y0, x1, y1] = [ring[i]!, ring[i + 1]!, ring[i + 2]!, ring[i + 3]!];
      if (y0 === y1 && y0 >= top && y0 <= bottom && Math.min(x0, x1) <= right && Math.max(x0, x1) >= left) return true;
    }
    return false;
  });
}

/** Whether a point lies in a polygon. */
function holds({ exterior, holes }: Outline, x: number, y: number): boolean {
  return insideRing(exterior, x, y) && !holes.some((hole) => insideRing(hole, x, y));
}
