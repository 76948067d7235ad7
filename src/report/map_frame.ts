/**
 * Where a section's spots and image lie on a drawing of it.
 *
 * @module
 */

import type { SampleMap, Thumbnail } from "./run_evidence.ts";
import { extent } from "./scale.ts";
import { crop, imageAddress, shrink } from "./thumbnail.ts";

/** Width of the drawing, units. */
export const MAP_WIDTH = 360;
/** Height of the drawing by its width, at most. */
const HIGHEST = 1.25;

/** An image on the drawing, as the attributes of its element. */
export interface MapImage {
  readonly href: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Rounded to a tenth of a unit. */
export function short(value: number): number {
  return Math.round(value * 10) / 10;
}

/** A rectangle in level-0 pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Place of a section on the drawing, around its spots, and the radius of a spot there. */
export function frameOf(
  { spatial, spot_diameter }: Pick<SampleMap, "spatial" | "spot_diameter">,
): { box: Box; scale: number; radius: number } {
  const axis = (k: number) =>
    extent(Array.from({ length: spatial.length / 2 }, (_, i) => spatial[2 * i + k]!)) ?? [0, 1];
  const [[x0, x1], [y0, y1]] = [axis(0), axis(1)];
  const spots = Math.max(1, spatial.length / 2);
  const pitch = Math.sqrt(Math.max(1, (x1 - x0) * (y1 - y0)) / spots);
  const margin = 1.5 * Math.max(pitch, spot_diameter ?? 0);
  const height = y1 - y0 + 2 * margin;
  // A high section stands in the middle of a frame that is not much higher than wide.
  const width = Math.max(x1 - x0 + 2 * margin, height / HIGHEST);
  const scale = MAP_WIDTH / width;
  const radius = Math.max(1.2, Math.max(spot_diameter ?? 0, 0.62 * pitch) / 2 * scale);
  return { box: { left: (x0 + x1 - width) / 2, top: y0 - margin, width, height }, scale, radius: short(radius) };
}

/** The part of the thumbnail that lies in the frame, and its place on the drawing. @param longest Pixels of its longer side. */
export function imageIn(
  box: Box,
  scale: number,
  { image, scale: shrunk }: Thumbnail,
  longest: number,
): MapImage | undefined {
  const from = (start: number, most: number) => Math.min(Math.max(0, Math.floor(start * shrunk)), most);
  const to = (end: number, most: number) => Math.min(Math.max(0, Math.ceil(end * shrunk)), most);
  const [x, y] = [from(box.left, image.width), from(box.top, image.height)];
  const width = to(box.left + box.width, image.width) - x;
  const height = to(box.top + box.height, image.height) - y;
  if (width <= 0 || height <= 0) return undefined;
  return {
    href: imageAddress(shrink(crop(image, { x, y, width, height }), longest), 80),
    x: short((x / shrunk - box.left) * scale),
    y: short((y / shrunk - box.top) * scale),
    width: short(width / shrunk * scale),
    height: short(height / shrunk * scale),
  };
}
