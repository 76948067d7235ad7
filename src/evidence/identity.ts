/**
 * What a result is of, by hashes: encoder, genes, split, seed, and the device with its limits.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import { sha256Of } from "../io/checksum.ts";

/** What is named. */
export interface Identity {
  /** The encoder, or what features say they were made by, with a hash where there is one. */
  readonly encoder: string;
  /** SHA-256 of the genes in their order. */
  readonly genes: string;
  /** Items with their parts, in order. */
  readonly split: readonly (readonly [item: string, part: string])[];
  readonly seed: number;
  readonly gpu: Gpu;
}

/** One sentence. */
export function identityNote({ encoder, genes, split, seed, gpu }: Identity): string {
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.caps.limits;
  const mib = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;
  const parts = sha256Of(split.map((one) => one.join("\t")).join("\n"));
  return `Encoder ${encoder}; genes ${genes.slice(0, 12)}, split ${parts.slice(0, 12)} (SHA-256), seed ${seed}; ` +
    `${gpu.description}, buffers of ${mib(maxBufferSize)}, bindings of ${mib(maxStorageBufferBindingSize)} at most`;
}
