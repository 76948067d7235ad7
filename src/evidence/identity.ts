/**
 * What a result is of, by hashes: encoder, genes, split, seed, and the device with its limits.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import { sha256Of } from "../io/checksum.ts";

/** What a method says that its result is of; nothing of what it has not. */
export interface ResultIdentity {
  /** {@linkcode encoderIdentity}, or that of features. */
  readonly encoder?: string;
  /** SHA-256 of the genes in their order. */
  readonly genes?: string;
  /** Items with their parts, in order. */
  readonly split?: readonly (readonly [item: string, part: string])[];
}

/** With what is known of every run. */
export interface Identity extends ResultIdentity {
  readonly seed: number | undefined;
  /** Undefined where nothing was computed on a device. */
  readonly gpu: Pick<Gpu, "description" | "caps"> | undefined;
}

/** Figures of a hash that are shown. */
const SHOWN = 12;

/** An encoder by its name and the hash of its weights. */
export function encoderIdentity(name: string, sha256: string): string {
  return sha256 === "" ? name : `${name}, ${sha256.slice(0, SHOWN)}`;
}

/** The encoder of features, by what their file says. */
export function featuresIdentity(
  { encoder, weights_sha256: weights = "" }: Readonly<Record<string, unknown>>,
): string {
  return encoder === undefined
    ? "of the features, which do not name it"
    : encoderIdentity(String(encoder), String(weights));
}

/** A device with its limits. */
function deviceNote({ description, caps }: Pick<Gpu, "description" | "caps">): string {
  const { maxBufferSize, maxStorageBufferBindingSize } = caps.limits;
  const mib = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;
  return `${description}, buffers of ${mib(maxBufferSize)}, bindings of ${mib(maxStorageBufferBindingSize)} at most`;
}

/** One sentence. */
export function identityNote({ encoder, genes, split, seed, gpu }: Identity): string {
  const parts = split && sha256Of(split.map((one) => one.join("\t")).join("\n"));
  const hashes = [
    ...genes === undefined ? [] : [`genes ${genes.slice(0, SHOWN)}`],
    ...parts === undefined ? [] : [`split ${parts.slice(0, SHOWN)}`],
  ];
  return [
    ...encoder === undefined ? [] : [`encoder ${encoder}`],
    ...hashes.length === 0 ? [] : [`${hashes.join(", ")} (SHA-256)`],
    ...seed === undefined ? [] : [`seed ${seed}`],
    gpu === undefined ? "no device" : deviceNote(gpu),
  ].join("; ");
}
