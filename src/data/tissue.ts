/**
 * Tissue on a slide made small: what has more colour than Otsu's threshold, without specks and pinholes.
 *
 * Source: N. Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. SMC 9 (1979) 62-66.
 *
 * @module
 */

import { insideRing, type Polygon } from "../io/geojson.ts";
import type { Picture } from "../io/picture.ts";

/** Pieces and holes smaller than this share of the picture are left out. */
const SPECK = 5e-4;

/** Tissue, a byte a pixel of the small picture. */
export interface TissueMask {
  readonly width: number;
  readonly height: number;
  /** 1 where there is tissue. */
  readonly mask: Uint8Array;
  /** Colour (largest less smallest channel, 0 to 255) from which a pixel is tissue. */
  readonly threshold: number;
}

/** Otsu's threshold: bins below it are one class, it and those above the other. 0 where all is in one bin. */
export function otsu(histogram: ArrayLike<number>): number {
  const bins = Array.from(histogram);
  const total = bins.reduce((a, b) => a + b, 0);
  const sum = bins.reduce((a, b, i) => a + b * i, 0);
  let [below, sumBelow, best, threshold] = [0, 0, 0, 0];
  for (let t = 1; t < bins.length; t++) {
    below += bins[t - 1]!;
    sumBelow += bins[t - 1]! * (t - 1);
    if (below === 0 || below === total) continue;
    const apart = sumBelow / below - (sum - sumBelow) / (total - below);
    const between = below * (total - below) * apart * apart;
    if (between > best) [best, threshold] = [between, t];
  }
  return threshold;
}

/** Finds tissue in a picture of about a thousand pixels a side. */
export function findTissue(picture: Picture): TissueMask {
  const { width, height } = picture;
  const colour = smoothColour(picture);
  const histogram = new Uint32Array(256);
  for (const value of colour) histogram[value]!++;
  const threshold = otsu(histogram);
  const mask = colour.map((value) => threshold > 0 && value >= threshold ? 1 : 0);
  const least = SPECK * width * height;
  for (const value of [1, 0] as const) {
    for (const piece of pieces(mask, width, value)) {
      if (piece.length < least) { for (const i of piece) mask[i] = 1 - value; }
    }
  }
  return { width, height, mask, threshold };
}

/** Largest less smallest channel, means of three by three pixels. */
function smoothColour({ width, height, data }: Picture): Uint8Array {
  const raw = Uint8Array.from({ length: width * height }, (_, i) => {
    const [r, g, b] = [data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!];
    return Math.max(r, g, b) - Math.min(r, g, b);
  });
  return raw.map((_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    let [sum, count] = [0, 0];
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++, count++) sum += raw[v * width + u]!;
    }
    return Math.round(sum / count);
  });
}

/** Connected pixels of one value, by their four neighbours. */
function* pieces(mask: Uint8Array, width: number, value: 0 | 1): Generator<number[]> {
  const seen = new Uint8Array(mask.length);
  for (let start = 0; start < mask.length; start++) {
    if (mask[start] !== value || seen[start]) continue;
    const piece = [start];
    seen[start] = 1;
    for (let k = 0; k < piece.length; k++) {
      const i = piece[k]!;
      const x = i % width;
      for (const j of [i - width, i + width, x > 0 ? i - 1 : -1, x < width - 1 ? i + 1 : -1]) {
        if (j < 0 || j >= mask.length || mask[j] !== value || seen[j]) continue;
        seen[j] = 1;
        piece.push(j);
      }
    }
    yield piece;
  }
}

/**
 * Share of tissue in a square, from 16 by 16 points in it.
 *
 * @param scale Pixels of the mask a pixel of the square's coordinates.
 */
export function coverageOf(tissue: TissueMask, scale: number, x: number, y: number, side: number): number {
  const points = 16;
  let hits = 0;
  for (let i = 0; i < points; i++) {
    const v = Math.floor((y + (i + 0.5) * side / points) * scale);
    if (v < 0 || v >= tissue.height) continue;
    for (let j = 0; j < points; j++) {
      const u = Math.floor((x + (j + 0.5) * side / points) * scale);
      if (u >= 0 && u < tissue.width) hits += tissue.mask[v * tissue.width + u]!;
    }
  }
  return hits / points ** 2;
}

/** Outlines of a mask along the edges of its pixels, divided by `scale`. */
export function tissueOutlines(
  { width, height, mask }: TissueMask,
  scale: number,
): Pick<Polygon, "exterior" | "holes">[] {
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
  const outer: { exterior: Float64Array; holes: Float64Array[] }[] = [];
  const holes: Float64Array[] = [];
  for (let start = 0; start < edges.length; start++) {
    while (edges[start]) {
      const { ring, area } = followEdges(edges, stride, start);
      const scaled = Float64Array.from(ring, (value) => value / scale);
      if (area > 0) outer.push({ exterior: scaled, holes: [] });
      else holes.push(scaled);
    }
  }
  for (const hole of holes) {
    // A point a little inside, as rings may touch in a corner.
    const [x, y] = [(hole[0]! + hole[2]!) / 2, (hole[1]! + hole[3]!) / 2];
    const nudge = 1e-3 / scale;
    const around = outer.filter(({ exterior }) =>
      insideRing(exterior, x + nudge, y + nudge) && insideRing(exterior, x - nudge, y - nudge)
    );
    around.sort((a, b) => Math.abs(ringArea(a.exterior)) - Math.abs(ringArea(b.exterior)))[0]?.holes.push(hole);
  }
  return outer;
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

function ringArea(ring: ArrayLike<number>): number {
  let twice = 0;
  for (let i = 0; i + 3 < ring.length; i += 2) twice += ring[i]! * ring[i + 3]! - ring[i + 2]! * ring[i + 1]!;
  return twice / 2;
}
