/**
 * Geometry of a synthetic slide: spots on Visium's lattice, extent, tissue with or without a hole, and where its random
 * numbers come from.
 *
 * Micrometres throughout, x to the right and y down; pixel (u, v) has its centre at ((u + 1/2) s, (v + 1/2) s).
 *
 * @module
 */

import { Philox } from "../../core/philox.ts";

/** Seed of the published golden values. */
export const SYNTH_SEED = 20260214;
/** Streams of random numbers; the first nine are those of the specification. */
export const STREAM = {
  fields: 1,
  stain: 2,
  nuclei: 3,
  lumens: 4,
  genes: 5,
  library: 6,
  offset: 7,
  counts: 8,
  barcodes: 9,
  permuteCounts: 10,
  shufflePatches: 11,
  donors: 12,
} as const;
/** Key word 1 of what all slides share. */
export const GLOBAL = 0xffffffff;
/** Distance of tissue from the slide's edge, and radius of its hole, µm. */
const INSET = 20;
const HOLE = 180;
/** Corners of the hole's outline. */
const HOLE_CORNERS = 64;
/** Pixel sizes of profile `geom` in turn, µm. */
const PIXEL_SIZES = [0.5, 0.25, 0.3639, 0.4569] as const;

/** What decides a slide. */
export interface SlideOptions {
  readonly seed: number;
  /** Number of the slide. */
  readonly slide: number;
  /** Rows and columns of the array; a row uses every other column. */
  readonly rows: number;
  readonly cols: number;
  /** Whether slides differ in pixel size; else it is 0.5 µm. */
  readonly mixedPixelSize: boolean;
  /** Slides that share stain and batch effect. */
  readonly slidesPerDonor: number;
  /** Deviation of what donors have more or less of each field than others; 0 by default. */
  readonly donorFields?: number | undefined;
}

/** One spot: centre in µm. */
export interface Spot {
  readonly row: number;
  readonly col: number;
  readonly x: number;
  readonly y: number;
}

/** A slide's geometry and random streams. */
export interface Slide extends SlideOptions {
  /** Level-0 pixel size, µm. */
  readonly pixelSize: number;
  /** Extent, µm, and in level-0 pixels. */
  readonly extent: readonly [x: number, y: number];
  readonly width: number;
  readonly height: number;
  readonly spots: readonly Spot[];
  /** Radius of the hole in the middle, µm; 0 without one. */
  readonly hole: number;
  readonly donor: number;
  readonly random: Philox;
  readonly donorRandom: Philox;
}

/** Lays out a slide. */
export function layOut(options: SlideOptions): Slide {
  const { seed, slide, rows, cols, slidesPerDonor } = options;
  const pitch = 100 * Math.sqrt(3) / 2;
  const margin = slide % 4 === 2 ? 40 : 150;
  const pixelSize = options.mixedPixelSize ? PIXEL_SIZES[slide % 4]! : 0.5;
  const extent = [2 * margin + 50 * (cols - 1), 2 * margin + pitch * (rows - 1)] as const;
  const spots: Spot[] = [];
  for (let row = 0; row < rows; row++) {
    for (let col = row % 2; col < cols; col += 2) {
      spots.push({ row, col, x: margin + 50 * col, y: margin + pitch * row });
    }
  }
  const donor = Math.floor(slide / slidesPerDonor);
  return {
    ...options,
    pixelSize,
    extent,
    width: Math.ceil(extent[0] / pixelSize),
    height: Math.ceil(extent[1] / pixelSize),
    spots,
    hole: slide % 4 === 3 ? HOLE : 0,
    donor,
    random: new Philox(seed, slide),
    donorRandom: new Philox(seed, donor),
  };
}

/** Whether a place, in µm, is in the hole. */
export function inHole({ extent, hole }: Slide, x: number, y: number): boolean {
  return (x - extent[0] / 2) ** 2 + (y - extent[1] / 2) ** 2 < hole * hole;
}

/** Whether a place, in µm, is on tissue. */
export function onTissue(slide: Slide, x: number, y: number): boolean {
  const [w, h] = slide.extent;
  return x >= INSET && x <= w - INSET && y >= INSET && y <= h - INSET && !inHole(slide, x, y);
}

/** A ring of corners in level-0 pixels, not closed. */
export type Ring = readonly (readonly [x: number, y: number])[];

/** Outline of the tissue, and of its hole, in level-0 pixels. */
export function tissueRings({ extent: [w, h], hole, pixelSize }: Slide): { exterior: Ring; hole?: Ring } {
  const pixels = (x: number, y: number) => [x / pixelSize, y / pixelSize] as const;
  const exterior = [
    pixels(INSET, INSET),
    pixels(w - INSET, INSET),
    pixels(w - INSET, h - INSET),
    pixels(INSET, h - INSET),
  ];
  if (hole === 0) return { exterior };
  const corner = (_: unknown, i: number) => {
    const angle = 2 * Math.PI * i / HOLE_CORNERS;
    return pixels(w / 2 + hole * Math.cos(angle), h / 2 + hole * Math.sin(angle));
  };
  return { exterior, hole: Array.from({ length: HOLE_CORNERS }, corner) };
}

/** Part of a square that is tissue, 0 to 1; place and side in level-0 pixels. */
export function tissueCoverage(slide: Slide, x: number, y: number, side: number): number {
  const { exterior, hole } = tissueRings(slide);
  const inside = (ring: Ring) => area(clip(ring, x, y, x + side, y + side));
  return (inside(exterior) - (hole === undefined ? 0 : inside(hole))) / (side * side);
}

/** A convex ring cut to a rectangle (Sutherland and Hodgman). */
function clip(ring: Ring, x0: number, y0: number, x1: number, y1: number): Ring {
  // Distance inside each of the four half planes.
  const inside = [
    ([x]: readonly [number, number]) => x - x0,
    ([x]: readonly [number, number]) => x1 - x,
    ([, y]: readonly [number, number]) => y - y0,
    ([, y]: readonly [number, number]) => y1 - y,
  ];
  let points = ring;
  for (const depth of inside) {
    const next: [number, number][] = [];
    for (const [i, a] of points.entries()) {
      const b = points[(i + 1) % points.length]!;
      const [da, db] = [depth(a), depth(b)];
      if (da >= 0) next.push([a[0], a[1]]);
      if (da >= 0 !== db >= 0) {
        const t = da / (da - db);
        next.push([a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]);
      }
    }
    points = next;
  }
  return points;
}

function area(ring: Ring): number {
  let twice = 0;
  for (const [i, [x, y]] of ring.entries()) {
    const [u, v] = ring[(i + 1) % ring.length]!;
    twice += x * v - u * y;
  }
  return Math.abs(twice) / 2;
}
