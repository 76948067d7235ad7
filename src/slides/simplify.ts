/**
 * Outlines with fewer points, by Douglas and Peucker, that cross neither themselves nor each other: what GEOS and JTS call
 * `TopologyPreservingSimplifier`, by the same steps, so that the same squares are kept as with shapely.
 *
 * Source: D. Douglas, T. Peucker, Cartographica 10 (1973) 112-122; `TaggedLineStringSimplifier` of JTS 1.20.
 *
 * @module
 */

import { type Box, boxOf } from "../data/image/mask.ts";
import { insideRing } from "../io/geojson.ts";
import type { Outline } from "../data/image/polygons.ts";

/** Points a ring keeps at least, its first counted twice. */
const LEAST = 4;

type Point = readonly [x: number, y: number];

interface Segment {
  readonly a: Point;
  readonly b: Point;
  readonly box: Box;
  readonly line: Line;
  /** Its number among the ring's own; -1 for one that was made. */
  readonly at: number;
}

interface Line {
  readonly points: readonly Point[];
  /** What the ring is made of, as it is simplified. */
  result: Segment[];
}

function segment(a: Point, b: Point, line: Line, at: number): Segment {
  return { a, b, line, at, box: boxOf([...a, ...b]) };
}

/** Segments in cells of a grid, so that those near a box are found soon. */
class Segments {
  readonly #cells: Map<string, Set<Segment>> = new Map();
  constructor(readonly cell: number) {}

  *#keys([left, top, right, bottom]: Box): Generator<string> {
    for (let v = Math.floor(top / this.cell); v * this.cell <= bottom; v++) {
      for (let u = Math.floor(left / this.cell); u * this.cell <= right; u++) yield `${u} ${v}`;
    }
  }

  add(segment: Segment): void {
    for (const key of this.#keys(segment.box)) {
      const cell = this.#cells.get(key);
      if (cell === undefined) this.#cells.set(key, new Set([segment]));
      else cell.add(segment);
    }
  }

  remove(segment: Segment): void {
    for (const key of this.#keys(segment.box)) this.#cells.get(key)?.delete(segment);
  }

  near(box: Box): Set<Segment> {
    const found = new Set<Segment>();
    for (const key of this.#keys(box)) {
      for (const segment of this.#cells.get(key) ?? []) {
        const [left, top, right, bottom] = segment.box;
        if (left <= box[2] && right >= box[0] && top <= box[3] && bottom >= box[1]) found.add(segment);
      }
    }
    return found;
  }
}

/** Twice the area of a triangle, above 0 where it turns right as the image is seen. */
function turn(a: Point, b: Point, c: Point): number {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

/** Whether two segments have a point in common that is not an end of both. */
function crosses(p: Segment, q: Segment): boolean {
  const [d1, d2] = [turn(q.a, q.b, p.a), turn(q.a, q.b, p.b)];
  const [d3, d4] = [turn(p.a, p.b, q.a), turn(p.a, p.b, q.b)];
  if (d1 * d2 > 0 || d3 * d4 > 0) return false;
  const same = (u: Point, v: Point) => u[0] === v[0] && u[1] === v[1];
  const within = (u: Point, s: Segment) =>
    turn(s.a, s.b, u) === 0 && u[0] >= s.box[0] && u[0] <= s.box[2] && u[1] >= s.box[1] && u[1] <= s.box[3];
  if (d1 * d2 < 0 && d3 * d4 < 0) return true;
  const inner = (u: Point, s: Segment) => within(u, s) && !same(u, s.a) && !same(u, s.b);
  return inner(p.a, q) || inner(p.b, q) || inner(q.a, p) || inner(q.b, p);
}

/** Distance of a point to a segment. */
function distance([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  if (length === 0) return Math.hypot(x - ax, y - ay);
  const along = ((x - ax) * dx + (y - ay) * dy) / length;
  if (along <= 0) return Math.hypot(x - ax, y - ay);
  if (along >= 1) return Math.hypot(x - bx, y - by);
  return Math.abs(((ay - y) * dx - (ax - x) * dy) / length) * Math.sqrt(length);
}

/** Simplifies the rings of all outlines together. */
class Simplifier {
  readonly #lines: Line[];
  readonly #given: Segments;
  readonly #made: Segments;

  constructor(rings: readonly Float64Array[], readonly tolerance: number) {
    this.#lines = rings.map((ring) => ({
      points: Array.from({ length: ring.length >> 1 }, (_, i): Point => [ring[2 * i]!, ring[2 * i + 1]!]),
      result: [],
    }));
    const cell = Math.max(1, 4 * tolerance);
    [this.#given, this.#made] = [new Segments(cell), new Segments(cell)];
    for (const line of this.#lines) {
      for (let i = 0; i + 1 < line.points.length; i++) {
        this.#given.add(segment(line.points[i]!, line.points[i + 1]!, line, i));
      }
    }
  }

  run(): Float64Array[] {
    for (const line of this.#lines) {
      this.#section(line, 0, line.points.length - 1);
      this.#ringEnd(line);
    }
    return this.#lines.map(({ result }) => {
      const points = [...result.map(({ a }) => a), result.at(-1)!.b];
      return Float64Array.from(points.flat());
    });
  }

  /** Simplifies a section; sections to come wait on a stack, as outlines have a hundred thousand points. */
  #section(line: Line, first: number, last: number): void {
    const stack: [from: number, to: number, depth: number][] = [[first, last, 1]];
    while (stack.length > 0) {
      const [from, to, depth] = stack.pop()!;
      const [a, b] = [line.points[from]!, line.points[to]!];
      if (from + 1 === to) {
        line.result.push(segment(a, b, line, from));
        continue;
      }
      const size = line.result.length === 0 ? 0 : line.result.length + 1;
      let [furthest, most] = [from, -1];
      for (let k = from + 1; k < to; k++) {
        const away = distance(line.points[k]!, a, b);
        if (away > most) [furthest, most] = [k, away];
      }
      const flat = segment(a, b, line, -1);
      const enough = size >= LEAST || depth + 1 >= LEAST;
      if (enough && most <= this.tolerance && this.#isFree(line, from, to, flat)) {
        for (let k = from; k < to; k++) this.#drop(line, k);
        this.#made.add(flat);
        line.result.push(flat);
      } else stack.push([furthest, to, depth + 1], [from, furthest, depth + 1]);
    }
  }

  #drop(line: Line, at: number): void {
    const [a, b] = [line.points[at]!, line.points[at + 1]!];
    for (const found of this.#given.near(boxOf([...a, ...b]))) {
      if (found.line === line && found.at === at) this.#given.remove(found);
    }
  }

  /** Takes away the point a ring begins at, where it is as near to the line between its neighbours. */
  #ringEnd(line: Line): void {
    const { result } = line;
    if (result.length + 1 <= LEAST) return;
    const [first, last] = [result[0]!, result.at(-1)!];
    const flat = segment(last.a, first.b, line, -1);
    if (distance(first.a, flat.a, flat.b) > this.tolerance) return;
    const blocked = [...this.#made.near(flat.box), ...this.#given.near(flat.box)].some((other) =>
      other !== first && other !== last && !isOf(other, first) && !isOf(other, last) && crosses(other, flat)
    );
    if (blocked || this.#jumps(line, [last.a, first.a, first.b])) return;
    this.#made.remove(first);
    this.#made.remove(last);
    this.#made.add(flat);
    line.result = [flat, ...result.slice(1, -1)];
  }

  /** Whether nothing lies in the way of replacing a section by one segment. */
  #isFree(line: Line, from: number, to: number, flat: Segment): boolean {
    for (const other of this.#made.near(flat.box)) if (crosses(other, flat)) return false;
    for (const other of this.#given.near(flat.box)) {
      if (other.line === line && other.at >= from && other.at < to) continue;
      if (crosses(other, flat)) return false;
    }
    return !this.#jumps(line, line.points.slice(from, to + 1));
  }

  /** Whether another ring lies between a section and the segment that replaces it. */
  #jumps(line: Line, section: readonly Point[]): boolean {
    if (this.#lines.length === 1) return false;
    const ring = Float64Array.from([...section, section[0]!].flat());
    const [left, top, right, bottom] = boxOf(ring);
    return this.#lines.some((other) => {
      const [x, y] = other.points[0]!;
      return other !== line && x >= left && x <= right && y >= top && y <= bottom && insideRing(ring, x, y);
    });
  }
}

function isOf(a: Segment, b: Segment): boolean {
  return a.line === b.line && a.at >= 0 && a.at === b.at;
}

/**
 * Outlines with fewer points.
 *
 * @param tolerance Farthest that a point may lie off what replaces it.
 */
export function simplify(outlines: readonly Outline[], tolerance: number): Outline[] {
  if (outlines.length === 0) return [];
  const rings = new Simplifier(outlines.flatMap(({ exterior, holes }) => [exterior, ...holes]), tolerance).run();
  let at = 0;
  return outlines.map(({ holes }) => {
    const exterior = rings[at++]!;
    return { exterior, holes: holes.map(() => rings[at++]!) };
  });
}
