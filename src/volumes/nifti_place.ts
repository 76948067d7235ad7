/**
 * How a NIfTI volume lies in space: sform before qform, as nibabel takes them.
 *
 * Source: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h ("3D IMAGE ORIENTATION AND LOCATION IN SPACE")
 *
 * @module
 */

import type { Place, Placement, Zyx } from "./volume.ts";

type Matrix = readonly (readonly number[])[];

/**
 * Reads the placement.
 *
 * @param scale µm of the header's unit.
 * @returns The placement if there is one, and by its matrix the lengths of a voxel along z, y, x.
 */
export function readPlacement(
  view: DataView,
  little: boolean,
  scale: number,
): { placement: Placement | undefined; lengths: Zyx | undefined; code: "sform" | "qform" | undefined } {
  const code = view.getInt16(254, little) > 0 ? "sform" : view.getInt16(252, little) > 0 ? "qform" : undefined;
  if (code === undefined) return { placement: undefined, lengths: undefined, code };
  const rows = code === "sform" ? sform(view, little) : qform(view, little);
  const column = (i: number) => rows.map((row) => row[i]! * scale);
  const length = (v: readonly number[]) => Math.hypot(...v);
  const axes = [0, 1, 2].map(column);
  const lengths = axes.map((axis) => Number(length(axis).toPrecision(7)));
  if (lengths.some((um) => !(um > 0 && Number.isFinite(um)))) {
    return { placement: undefined, lengths: [NaN, NaN, NaN], code };
  }
  const unit = (i: number) => axes[i]!.map((value) => Number((value / lengths[i]!).toPrecision(7))) as unknown as Place;
  const placement: Placement = { origin: column(3) as unknown as Place, direction: [unit(0), unit(1), unit(2)] };
  return { placement, lengths: [lengths[2]!, lengths[1]!, lengths[0]!], code };
}

function sform(view: DataView, little: boolean): Matrix {
  return [0, 1, 2].map((row) => [0, 1, 2, 3].map((i) => view.getFloat32(280 + 16 * row + 4 * i, little)));
}

function qform(view: DataView, little: boolean): Matrix {
  const [b, c, d] = [256, 260, 264].map((at) => view.getFloat32(at, little)) as [number, number, number];
  const offsets = [268, 272, 276].map((at) => view.getFloat32(at, little));
  const sizes = [1, 2, 3].map((i) => view.getFloat32(76 + 4 * i, little));
  const flip = view.getFloat32(76, little) < 0 ? -1 : 1;
  const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d));
  const turn = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
  ];
  return turn.map((row, i) => [row[0]! * sizes[0]!, row[1]! * sizes[1]!, row[2]! * sizes[2]! * flip, offsets[i]!]);
}

/** Writes the placement as an sform, in µm; without one, axes along those of space. */
export function writePlacement(view: DataView, spacing: Zyx, placement: Placement | undefined): void {
  const { origin, direction } = placement ?? { origin: [0, 0, 0], direction: [[1, 0, 0], [0, 1, 0], [0, 0, 1]] };
  // 2 is a frame of the scan's own.
  view.setInt16(254, 2, true);
  for (let row = 0; row < 3; row++) {
    for (let i = 0; i < 3; i++) view.setFloat32(280 + 16 * row + 4 * i, direction[i]![row]! * spacing[2 - i]!, true);
    view.setFloat32(280 + 16 * row + 12, origin[row]!, true);
  }
}
