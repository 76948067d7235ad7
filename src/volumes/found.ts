/**
 * What the reader of a format finds in a file, before spacing and axes are settled by `open.ts`.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import type { SerialStack } from "./serial.ts";
import type { BoxReader, Placement, VolumeShape, Zyx } from "./volume.ts";

/** A smaller copy of a volume in the same file. */
export interface VolumeLevel {
  readonly shape: Zyx;
  /** µm, where the file says so. */
  readonly spacing: Zyx | undefined;
}

/** A volume as its file describes it. */
export interface FoundVolume extends Omit<VolumeShape, "spacing"> {
  /** Name of the format, for people. */
  readonly format: string;
  /** µm along z, y, x: undefined where the file does not say. */
  readonly spacing: Zyx | undefined;
  /** Why there is no spacing, or which one is claimed that cannot be believed. */
  readonly problem?: string | undefined;
  readonly placement?: Placement | undefined;
  /** All levels, from fine to coarse; one where there are no others. */
  readonly levels: readonly VolumeLevel[];
  /** What a user ought to know of how the file was read. */
  readonly notes: readonly string[];
  /** What it is made of where it is no continuous volume but serial sections. */
  readonly serial?: SerialStack | undefined;
  readonly read: BoxReader;
  readonly close: () => void;
}

/** Most voxels along an axis. */
export const MOST_EXTENT = 2 ** 24;

/** Why a file is no volume that is read: where what was found and what was expected. */
export function volumeError(name: string, place: string, found: string, expected: string, hint?: string): FormatError {
  return new FormatError(`Cannot read ${name} as a volume: ${place} ${found}, expected ${expected}`, {
    ...(hint === undefined ? {} : { hint }),
    context: { file: name, place, found, expected },
  });
}

/**
 * Checks what a file claims to hold.
 *
 * @throws {FormatError} If an extent is no whole number of at least 1, or larger than any volume.
 */
export function checkShape(name: string, place: string, shape: readonly number[]): void {
  const fine = shape.every((extent) => Number.isInteger(extent) && extent >= 1 && extent <= MOST_EXTENT);
  if (fine && shape.reduce((a, b) => a * b, 1) < 2 ** 46) return;
  throw volumeError(name, place, `claims ${shape.join(" x ")} voxels`, `whole numbers from 1 to ${MOST_EXTENT}`);
}

/** A spacing if all three numbers are positive and finite. */
export function positiveSpacing(spacing: readonly (number | undefined)[]): Zyx | undefined {
  return spacing.length === 3 && spacing.every((um) => um !== undefined && um > 0 && Number.isFinite(um))
    ? spacing as unknown as Zyx
    : undefined;
}
