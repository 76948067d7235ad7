/**
 * Subgroups of a device: invocations that hand each other values without workgroup memory. A device is asked for them only
 * where kernels by them were measured, or are to be: some devices compute slower for having been asked.
 *
 * @module
 */

import { computed } from "./computed.ts";

/** Subgroups that kernels can use. */
export interface Subgroups {
  /** Fewest invocations of one; devices choose for each kernel. */
  readonly least: number;
  /** Most invocations of one. */
  readonly most: number;
  /** Whether texts enable them by name, as WGSL has it; what Deno compiles with does not know the word. */
  readonly named: boolean;
}

/** Neighbours that the kernels count on to be of one subgroup. */
const TOGETHER = 8;
/** Workgroups of the kernels. */
const WORKGROUPS: readonly number[] = [64, 128];
const ENABLE = "enable subgroups;\n";

/** Every invocation says whom it hears at distances of 1, 2 and 4. */
const textOf = (named: boolean, size: number): string =>
  `${named ? ENABLE : ""}@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(${size}) fn main(@builtin(local_invocation_index) i: u32) {
  let far = subgroupShuffleXor(i, 4u) * ${size}u + subgroupShuffleXor(i, 2u);
  y[i] = f32(far * ${size}u + subgroupShuffleXor(i, 1u));
}`;

async function proves(device: GPUDevice, named: boolean): Promise<boolean> {
  for (const size of WORKGROUPS) {
    const heard = await computed(device, "subgroups", textOf(named, size), size);
    if (!heard?.every((value, i) => value === ((i ^ 4) * size + (i ^ 2)) * size + (i ^ 1))) return false;
  }
  return true;
}

/** The subgroups of a device that was asked for them, proved; else why there are none. */
export async function subgroupsOf(
  { subgroupMinSize: least, subgroupMaxSize: most }: Partial<GPUAdapterInfo>,
  device: GPUDevice,
): Promise<Subgroups | string> {
  if (!(device.features as unknown as ReadonlySet<string>).has("subgroups")) return "the device was not granted them";
  if (least === undefined || most === undefined) return "its WebGPU does not say how many invocations they have";
  if (least < TOGETHER) return `they have ${least} to ${most} invocations, wanted ${TOGETHER} at least`;
  for (const named of [true, false]) if (await proves(device, named)) return { least, most, named };
  return "their invocations do not follow each other as the kernels need it";
}

/** A text as the compiler of a device takes it. */
export function spelled(text: string, subgroups: Subgroups | undefined): string {
  return subgroups?.named === false ? text.replace(ENABLE, "") : text;
}
