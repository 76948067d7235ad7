/**
 * A trained run of a method for volumes: what is predicted where, what that takes, and the model on the device.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import type { Host } from "../train/host.ts";
import type { Volume, Zyx } from "../volumes/volume.ts";
import type { UseOptions } from "./method.ts";

/** How a volume is predicted. */
export interface VolumeOptions {
  /** µm between places within a slice. */
  readonly stride: number;
  /** Steps between slices of a patch from one place to the next along z. */
  readonly depth: number;
  /** Also where there is no tissue. */
  readonly everywhere: boolean;
  /** Only places within, µm: x0, y0, z0, x1, y1, z1. */
  readonly box?: readonly number[] | undefined;
  /** What a place gets: what its own patch says, or the mean of those around it by a normal weight. */
  readonly blend: "centre" | "gaussian";
  /** What tells expression: the head, or the spots of a bank that lie nearest in the joint space. */
  readonly by: "head" | "retrieval";
  /** Where it is predicted, of a task of another run with the same places: tissue is not looked for again. */
  readonly mask?: Uint8Array | undefined;
}

/** A volume laid out to be predicted. */
export interface VolumeTask {
  /** Places along z, y, x. */
  readonly shape: Zyx;
  /** Between them, µm. */
  readonly spacing: Zyx;
  /** Where the first lies, µm along z, y, x. */
  readonly origin: Zyx;
  /** 1 where it is predicted, `[z, y, x]`. */
  readonly mask: Uint8Array;
  /** Intensities that are 0 and 1. */
  readonly window: readonly [low: number, high: number];
  /** Places in tissue; slices that are encoded, and what they would be if every patch encoded its own. */
  readonly cost: { readonly places: number; readonly encodings: number; readonly apart: number };
  /** Most bytes that are held at once. @param dim Features of a slice. */
  bytes(dim: number): number;
  open(gpu: Gpu, host: Host, options: UseOptions): Promise<VolumePredictor>;
}

/** A model of volumes on the device. */
export interface VolumePredictor {
  /** Features of a slice. */
  readonly dim: number;
  /** Encodes so many slices, to see how long that takes. */
  tryOut(count: number): Promise<void>;
  /** Expression of a plane's places, `[y, x, genes]`; NaN outside of tissue. Forwards is the cheapest. */
  plane(k: number): Promise<Float32Array<ArrayBuffer>>;
  close(): void;
}

/** A trained run for volumes, before a device is open. */
export interface VolumeRun {
  /** The encoder, as it was named at training. */
  readonly encoder: string;
  readonly genes: readonly string[];
  /** What expression is in. */
  readonly unit: string;
  /** µm of a patch's side and between its slices. */
  readonly patch: { readonly field: number; readonly step: number; readonly slices: number };
  /** Whether it is of serial sections, which are no continuous volume. */
  readonly serial: boolean;
  /**
   * Looks at a volume: where it is predicted, and what that takes.
   *
   * @throws {DataError} If it is none that the run can be used on.
   */
  lay(volume: Volume, options: VolumeOptions): Promise<VolumeTask>;
}
