/**
 * The volume of interest for the report: a small copy of it, and expression on a grid as fine as may be encoded in about a minute,
 * told by the device's kind and the encoder's size, never by the clock.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import { base64 } from "../../report/html.ts";
import type { VolumeMap } from "../../report/volumes_evidence.ts";
import type { Host } from "../../train/host.ts";
import type { FoundCheckpoint } from "../../train/run.ts";
import type { Zyx } from "../../volumes/volume.ts";
import type { VortexConfig } from "./config.ts";
import type { VortexVolume } from "./data.ts";
import { intensities } from "./grid.ts";
import { volumeRun } from "./trained.ts";

/** Operations that a report may take, and slices it encodes at the least and at the most. */
const [GPU, SOFTWARE] = [6e13, 2e12];
const [LEAST, MOST] = [300, 20_000];
/** Places of the copy along z and along the longer side. */
const COPY = { deep: 48, wide: 112 } as const;
const OUTSIDE = 255;

/** What is drawn. */
export interface MapRequest {
  readonly config: VortexConfig;
  readonly found: FoundCheckpoint;
  readonly volume: VortexVolume;
  /** Numbers of the genes that are shown. */
  readonly shown: readonly number[];
  /** Operations of a slice in the encoder. */
  readonly flops: number;
}

/** Slices that are encoded at most. */
function budgetOf(gpu: Gpu, flops: number): number {
  return Math.min(MOST, Math.max(LEAST, Math.floor((gpu.caps.software ? SOFTWARE : GPU) / flops)));
}

/** Places of a grid that fits: µm within slices, steps between slices. */
function gridOf(
  size: Zyx,
  { field, step, slices }: { readonly field: number; readonly step: number; readonly slices: number },
  budget: number,
): { stride: number; depth: number } {
  let [stride, depth] = [field / 2, 1];
  const count = (um: number, by: number) => Math.floor(um / by + 1e-6) + 1;
  for (;;) {
    const [deep, tall, wide] = [count(size[0], step), count(size[1], stride), count(size[2], stride)];
    const planes = Math.ceil(deep / depth);
    if (Math.min(deep, planes * slices) * tall * wide <= budget || tall * wide === 1) return { stride, depth };
    // Along z nothing is gained before patches no longer share slices.
    if (planes > 4 && planes > Math.max(tall, wide)) depth++;
    else stride *= 1.1;
  }
}

/** The copy. */
async function copyOf({ volume, window }: VortexVolume): Promise<VolumeMap["image"]> {
  const size = volume.shape.map((n, axis) => (n - 1) * volume.spacing[axis]!) as unknown as Zyx;
  const lateral = Math.max(volume.spacing[1], volume.spacing[2], Math.max(size[1], size[2]) / (COPY.wide - 1));
  // Whole slices: between them nothing is known of serial sections.
  const deep = volume.spacing[0] * Math.ceil(volume.shape[0] / COPY.deep);
  const spacing: Zyx = [deep, lateral, lateral];
  const shape = size.map((um, axis) => Math.floor(um / spacing[axis]! + 1e-6) + 1) as unknown as Zyx;
  const bytes = new Uint8Array(shape[0] * shape[1] * shape[2]);
  for (let k = 0; k < shape[0]; k++) {
    const plane = await intensities(volume, { first: [0, 0, 0], shape, spacing }, k, window);
    plane.forEach((value, i) => bytes[k * plane.length + i] = Math.round(255 * value));
  }
  return { shape, spacing_um: spacing, values: base64(bytes) };
}

/** Values as bytes between their hundredths. */
function packed(values: Float32Array): VolumeMap["expression"][number] {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const at = (q: number) => sorted[Math.round(q * (sorted.length - 1))] ?? 0;
  const low = at(0.01);
  const high = Math.max(at(0.99), low + 1e-6);
  const byte = (value: number) =>
    Number.isNaN(value) ? OUTSIDE : Math.round(254 * Math.min(1, Math.max(0, (value - low) / (high - low))));
  return { low, high, values: base64(Uint8Array.from(values, byte)) };
}

/** Draws the volume. @throws {SealError} If it cannot be read or predicted. */
export async function mapOf(gpu: Gpu, host: Host, request: MapRequest): Promise<VolumeMap> {
  const { config, found, volume: of, shown, flops } = request;
  const { volume } = of;
  const run = volumeRun(config, found);
  const size = volume.shape.map((n, axis) => (n - 1) * volume.spacing[axis]!) as unknown as Zyx;
  const grid = gridOf(size, run.patch, budgetOf(gpu, flops));
  const task = await run.lay(volume, { ...grid, everywhere: false, blend: "centre", by: "head" });
  const predictor = await task.open(gpu, host, { batchSize: 64 });
  try {
    const [nz, ny, nx] = task.shape;
    const G = run.genes.length;
    const values = shown.map(() => new Float32Array(nz * ny * nx));
    for (let k = 0; k < nz; k++) {
      const plane = await predictor.plane(k);
      shown.forEach((g, s) => {
        for (let i = 0; i < ny * nx; i++) values[s]![k * ny * nx + i] = plane[i * G + g]!;
      });
      host.reporter.update("planes", k + 1, nz, "slides");
    }
    return {
      image: await copyOf(of),
      grid: { shape: task.shape, spacing_um: task.spacing },
      expression: values.map(packed),
    };
  } finally {
    predictor.close();
  }
}
