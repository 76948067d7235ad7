/**
 * The ways to compute a product that are measured on a device.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";

/** A way to compute a product. */
interface MatmulWay {
  readonly flat: boolean;
  readonly tile: number;
  /** Tune constants beside those of the tile. */
  readonly tune?: Readonly<Record<string, number>>;
  /** By matrix units. */
  readonly matrix?: true;
}

/**
 * Ways to compute a product that are measured, by name: in registers alone, or by tiles in workgroup memory, some with half or
 * twice the steps at a time, some fetched late, which takes fewer registers, one stored by the invocations that read it.
 */
export const MATMUL_VARIANTS: Readonly<Record<string, MatmulWay>> = {
  "workgroup 32": { flat: false, tile: 32 },
  "workgroup 32, 32 steps": { flat: false, tile: 32, tune: { K8: 4, LOADS: 2 } },
  "workgroup 64": { flat: false, tile: 64 },
  "workgroup 64, 8 steps": { flat: false, tile: 64, tune: { K8: 1, LOADS: 1 } },
  "workgroup 64, not ahead": { flat: false, tile: 64, tune: { AHEAD: 0 } },
  "workgroup 64, own": { flat: false, tile: 64, tune: { OWN: 1 } },
  "workgroup 128": { flat: false, tile: 128 },
  "workgroup 128, not ahead": { flat: false, tile: 128, tune: { AHEAD: 0 } },
  "registers 4": { flat: true, tile: 4 },
  "registers 8": { flat: true, tile: 8 },
  "registers 16": { flat: true, tile: 16 },
  "matrix 32": { flat: false, tile: 32, matrix: true },
  "matrix 64": { flat: false, tile: 64, matrix: true },
  "matrix 128": { flat: false, tile: 128, matrix: true },
};

/** Names of the ways that are measured on a device: 256 sums an invocation are for CPUs, which spill them to their cache. */
export function matmulVariants({ caps }: Gpu): string[] {
  const has = (name: string) =>
    (caps.software || name !== "registers 16") && !(name.startsWith("matrix") && !caps.matrix);
  return Object.keys(MATMUL_VARIANTS).filter(has);
}
