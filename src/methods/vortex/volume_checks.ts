/**
 * Volumes that a run can make nothing of, or that would make its result worthless, told before anything is written.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { sha256Of } from "../../io/checksum.ts";
import type { VolumeShape } from "../../volumes/volume.ts";
import type { VortexConfig } from "./config.ts";
import type { VortexVolume } from "./data.ts";
import type { PatchShape } from "./sampler.ts";

/**
 * Refuses a volume that one patch covers: its spacing is in another unit, or another volume's.
 *
 * @throws {DataError} Naming its extent.
 */
export function checkExtent(
  { name, shape, spacing }: Pick<VolumeShape, "name" | "shape" | "spacing">,
  { field }: Pick<PatchShape, "field">,
): void {
  const [, height, width] = shape.map((n, axis) => Number((n * spacing[axis]!).toPrecision(4))) as [
    number,
    ...number[],
  ];
  if (Math.max(height!, width!) > field) return;
  throw new DataError(
    `Cannot use ${name}: it is ${height} x ${width} µm (y, x), expected more than a patch, ${field} µm`,
    {
      code: "volume-spacing",
      hint: `Look at its spacing, which is ${spacing.join(", ")} µm (z, y, x), or train with a smaller field`,
      context: { file: name, spacing, shape, field },
    },
  );
}

/** Refuses a volume of one slice where depth is wanted, or where no stage would train on it. */
export function checkSlices(
  { name, shape }: Pick<VolumeShape, "name" | "shape">,
  volume: string,
  { input: { voi }, stages: { epochs_2d } }: Pick<VortexConfig, "input" | "stages">,
): void {
  if (shape[0] > 1) return;
  const fail = (message: string, hint: string) =>
    new DataError(message, { code: "volume-slices", hint, context: { file: name, slices: shape[0] } });
  if (volume === voi) {
    throw fail(
      `Cannot train on the volume of interest ${volume}: ${name} has 1 slice, expected 2 or more`,
      "A section of its own has no depth: train method=seal on it",
    );
  }
  if (epochs_2d > 0) return;
  throw fail(
    `Cannot train on ${name}: it has 1 slice and epochs_2d is 0, expected 2 slices or more`,
    "Single slices are trained on with epochs_2d=10; or take its line out of the table",
  );
}

/** What is seen of a volume: its middle slice, since whole ones may be larger than memory. */
export interface Middle {
  readonly hash: string;
  /** Whether all of it is of one value, so that it tells nothing of whose it is. */
  readonly even: boolean;
}

/** Looks at the middle slice. */
export async function middleOf({ volume }: Pick<VortexVolume, "volume">): Promise<Middle> {
  const slice = await volume.readSlice(Math.floor(volume.shape[0] / 2));
  const bytes = new Uint8Array(slice.buffer, slice.byteOffset, slice.byteLength);
  return { hash: sha256Of(bytes), even: slice.every((value: number) => value === slice[0]) };
}

/**
 * Refuses the volume of interest under another name among those that are trained on before, whoever the table says it is of.
 *
 * @throws {DataError} Naming both.
 */
export function checkAlone(
  volumes: readonly VortexVolume[],
  middles: readonly Middle[],
  voi: string | undefined,
): void {
  const own = volumes.findIndex(({ name }) => name === voi);
  if (own < 0 || middles[own]!.even) return;
  const { volume: { name: file, shape } } = volumes[own]!;
  const same = volumes.find(({ volume }, v) =>
    v !== own && String(volume.shape) === String(shape) && middles[v]!.hash === middles[own]!.hash
  );
  if (same === undefined) return;
  throw new DataError(
    `Cannot train on the volume of interest ${voi}: volume ${same.name} (${same.volume.name}) has the voxels of ${file}, ` +
      "expected volumes of other patients",
    {
      code: "patient-leak",
      hint: "Take its lines out of the table, or give sections of one volume one name",
      context: { file: same.volume.name, found: same.name, expected: file },
    },
  );
}
