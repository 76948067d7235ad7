/**
 * Masks: which pixels of a small image belong to something. Pieces and holes by size, closing by a disc, the exact share of
 * a square that is covered, and outlines along the edges of pixels.
 *
 * @module
 */

import { insideRing, type Polygon } from "../../io/geojson.ts";

/** A byte a pixel: 1 where it belongs. */
export interface Mask {
  readonly width: number;
  readonly height: number;
  readonly mask: Uint8Array;
}

/** Offsets of a disc: pixels whose centres lie within the radius, in pixels. */
function disc(radius: number): [dx: number, dy: number][] {
  const reach = Math.floor(radius);
  const offsets: [number, number][] = [];
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) if (dx * dx + dy * dy <= radius * radius) offsets.push([dx, dy]);
  }
  return offsets;
}

/** Gives `value` to all pixels within the radius of one that has it. */
function grow({ width, height, mask }: Mask, value: 0 | 1, radius: number): Uint8Array {
  const out = mask.slice();
  const offsets = disc(radius);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (mask[i] !== value) continue;
      const inner = (x === 0 || mask[i - 1] === value) && (x === width - 1 || mask[i + 1] === value) &&
        (y === 0 || mask[i - width] === value) && (y === height - 1 || mask[i + width] === value);
      if (inner) continue;
      for (const [dx, dy] of offsets) {
        const [u, v] = [x + dx, y + dy];
        if (u >= 0 && v >= 0 && u < width && v < height) out[v * width + u] = value;
      }
    }
  }
  return out;
}

/** A mask grown by a disc of this radius, in pixels. */
export function dilated(mask: Mask, radius: number): Uint8Array {
  return grow(mask, 1, radius);
}

/** Closes gaps that a disc of this radius, in pixels, does not fit into; what lies outside of the image is no gap. */
export function closed(mask: Mask, radius: number): Uint8Array {
  return grow({ ...mask, mask: grow(mask, 1, radius) }, 0, radius);
}

/** Connected pixels of one value, by their four neighbours. */
export interface Piece {
  /** Numbers of its pixels; the same memory serves for the next piece. */
  readonly pixels: Uint32Array;
  /** Whether it reaches the edge of the image. */
  readonly atEdge: boolean;
}

/** The pieces of one value, in the order of their first pixels. */
export function* pieces({ width, height, mask }: Mask, value: 0 | 1): Generator<Piece> {
  const seen = new Uint8Array(mask.length);
  const queue = new Uint32Array(mask.length);
  for (let start = 0; start < mask.length; start++) {
    if (mask[start] !== value || seen[start]) continue;
    let [end, atEdge] = [1, false];
    queue[0] = start;
    seen[start] = 1;
    const look = (j: number): void => {
      if (mask[j] !== value || seen[j]) return;
      seen[j] = 1;
      queue[end++] = j;
    };
    for (let k = 0; k < end; k++) {
      const i = queue[k]!;
      const [x, y] = [i % width, Math.floor(i / width)];
      atEdge ||= x === 0 || y === 0 || x === width - 1 || y === height - 1;
      if (y > 0) look(i - width);
      if (y < height - 1) look(i + width);
      if (x > 0) look(i - 1);
      if (x < width - 1) look(i + 1);
    }
    yield { pixels: queue.subarray(0, end), atEdge };
  }
}

/** Takes away pieces of fewer pixels than `least`. @returns How many pieces stay. */
export function removeSmall(mask: Mask, least: number): number {
  let kept = 0;
  for (const { pixels } of pieces(mask, 1)) {
    if (pixels.length >= least) kept++;
    else for (const i of pixels) mask.mask[i] = 0;
  }
  return kept;
}

/** Fills holes of fewer pixels than `least`; what reaches the edge is none. */
export function fillHoles(mask: Mask, least: number): void {
  for (const { pixels, atEdge } of pieces(mask, 0)) {
    if (pixels.length < least && !atEdge) { for (const i of pixels) mask.mask[i] = 1; }
  }
}

/**
 * The share of squares that a mask covers, exactly: pixels that a side cuts count by what lies inside.
 *
 * @param scale Pixels of the mask a pixel of the squares' coordinates.
 */
export function coverage(
  { width, height, mask }: Mask,
  scale: number | readonly [x: number, y: number],
): (x: number, y: number, side: number) => number {
  const [sx, sy] = typeof scale === "number" ? [scale, scale] : scale;
  const stride = width + 1;
  const sums = new Float64Array(stride * (height + 1));
  for (let y = 0; y < height; y++) {
    for (let x = 0, row = 0; x < width; x++) {
      row += mask[y * width + x]!;
      sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1]! + row;
    }
  }
  // Area left of and above a place: within a pixel it is linear in each direction.
  const area = (x: number, y: number): number => {
    const [u, v] = [Math.min(width, Math.max(0, x)), Math.min(height, Math.max(0, y))];
    const [i, j] = [Math.min(width - 1, Math.floor(u)), Math.min(height - 1, Math.floor(v))];
    const [s, t] = [u - i, v - j];
    const at = j * stride + i;
    return (sums[at]! * (1 - s) + sums[at + 1]! * s) * (1 - t) +
      (sums[at + stride]! * (1 - s) + sums[at + stride + 1]! * s) * t;
  };
  return (x, y, side) => {
    const [left, top, right, bottom] = [x * sx, y * sy, (x + side) * sx, (y + side) * sy];
    const covered = area(right, bottom) - area(left, bottom) - area(right, top) + area(left, top);
    return covered / ((right - left) * (bottom - top));
  };
}

/** Outlines of a mask along the edges of its pixels, divided by `scale`. */
export function outlinesOf(
  { width, height, mask }: Mask,
  scale: number | readonly [x: number, y: number],
): Pick<Polygon, "exterior" | "holes">[] {
  const [sx, sy] = typeof scale === "number" ? [scale, scale] : scale;
  const at = (x: number, y: number) => x >= 0 && y >= 0 && x < width && y < height ? mask[y * width + x]! : 0;
  // Edges from corner to corner with tissue on their right, by their start: 0 right, 1 down, 2 left, 3 up.
  const stride = width + 1;
  const edges = new Uint8Array(stride * (height + 1));
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x <= width; x++) {
      if (at(x, y) && !at(x, y - 1)) edges[y * stride + x]! |= 1;
      if (at(x - 1, y) && !at(x, y)) edges[y * stride + x]! |= 2;
      if (at(x - 1, y - 1) && !at(x - 1, y)) edges[y * stride + x]! |= 4;
      if (at(x, y - 1) && !at(x - 1, y - 1)) edges[y * stride + x]! |= 8;
    }
  }
  const outer: { exterior: Float64Array; holes: Float64Array[]; box: Box }[] = [];
  const holes: { ring: Float64Array; box: Box }[] = [];
  for (let start = 0; start < edges.length; start++) {
    while (edges[start]) {
      const { ring, area } = followEdges(edges, stride, start);
      const scaled = Float64Array.from(ring, (value, i) => value / (i & 1 ? sy : sx));
      const box = boxOf(scaled);
      if (area > 0) outer.push({ exterior: scaled, holes: [], box });
      else holes.push({ ring: scaled, box });
    }
  }
  for (const { ring, box } of holes) {
    // A point a little inside, as rings may touch in a corner.
    const [x, y] = [(ring[0]! + ring[2]!) / 2, (ring[1]! + ring[3]!) / 2];
    const [nx, ny] = [1e-3 / sx, 1e-3 / sy];
    const around = outer.filter(({ exterior, box: own }) =>
      own[0] <= box[0] && own[1] <= box[1] && own[2] >= box[2] && own[3] >= box[3] &&
      insideRing(exterior, x + nx, y + ny) && insideRing(exterior, x - nx, y - ny)
    );
    around.sort((a, b) => Math.abs(ringArea(a.exterior)) - Math.abs(ringArea(b.exterior)))[0]?.holes.push(ring);
  }
  return outer.map(({ exterior, holes }) => ({ exterior, holes }));
}

/** Left, top, right and bottom. */
export type Box = readonly [number, number, number, number];

/** The box of a ring. */
export function boxOf(ring: ArrayLike<number>): Box {
  const box: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i + 1 < ring.length; i += 2) {
    const [x, y] = [ring[i]!, ring[i + 1]!];
    if (x < box[0]) box[0] = x;
    if (y < box[1]) box[1] = y;
    if (x > box[2]) box[2] = x;
    if (y > box[3]) box[3] = y;
  }
  return box;
}

/** Takes one closed path out of the edges, turning right where two cross: pieces that touch in a corner stay apart. */
function followEdges(edges: Uint8Array, stride: number, start: number): { ring: number[]; area: number } {
  const steps = [1, stride, -1, -stride];
  const ring: number[] = [];
  let at = start;
  let last = -1;
  do {
    const order = last < 0 ? [0, 1, 2, 3] : [(last + 1) % 4, last, (last + 3) % 4];
    const direction = order.find((d) => edges[at]! & (1 << d))!;
    if (direction !== last) ring.push(at % stride, Math.floor(at / stride));
    edges[at]! &= ~(1 << direction);
    at += steps[direction]!;
    last = direction;
  } while (at !== start);
  ring.push(ring[0]!, ring[1]!);
  return { ring, area: ringArea(ring) };
}

/** Twice-signed area halved: above 0 for rings that run clockwise as the image is seen. */
export function ringArea(ring: ArrayLike<number>): number {
  let twice = 0;
  for (let i = 0; i + 3 < ring.length; i += 2) twice += ring[i]! * ring[i + 3]! - ring[i + 2]! * ring[i + 1]!;
  return twice / 2;
}
