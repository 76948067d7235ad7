/**
 * The data of a run: volumes, measured spots in them, and the expression of these.
 *
 * @module
 */

import type { FilesMark } from "../../train/host.ts";
import type { Place, Volume } from "../../volumes/volume.ts";
import type { Window } from "./sampler.ts";

/** A volume with its patient. */
export interface VortexVolume {
  readonly name: string;
  readonly patient: string;
  readonly volume: Volume;
  readonly window: Window;
}

/** A measured spot. */
export interface VortexPair {
  /** Index of its volume. */
  readonly volume: number;
  /** Names the section. */
  readonly section: string;
  readonly part: "train" | "test";
  readonly place: Place;
}

/** Data that are open. */
export interface VortexData {
  readonly volumes: readonly VortexVolume[];
  /** Index of the volume of interest. */
  readonly voi: number | undefined;
  readonly pairs: readonly VortexPair[];
  readonly genes: readonly string[];
  /** Expression, z-scored over the training pairs, 0 where it was not measured, `[pairs, G]`. */
  readonly x: Float32Array<ArrayBuffer>;
  /** 1 where it was measured, `[pairs, G]`. */
  readonly measured: Float32Array<ArrayBuffer>;
  readonly statistics: { readonly mean: Float64Array; readonly std: Float64Array };
  /** SHA-256 of the genes in their order. */
  readonly manifest: string;
  readonly unit: string;
  readonly notes: readonly string[];
  readonly mark: FilesMark;
  close(): void;
}

/** Pairs of a part of a volume. */
export function pairsOf({ pairs }: Pick<VortexData, "pairs">, volume: number, part: VortexPair["part"]): number[] {
  return pairs.flatMap((pair, p) => (pair.volume === volume && pair.part === part ? [p] : []));
}

/** Number of the head of each volume: those that are trained on before that of interest; -1 of that. */
export function headsOf({ volumes, voi }: Pick<VortexData, "volumes" | "voi">): number[] {
  let next = 0;
  return volumes.map((_, v) => (v === voi ? -1 : next++));
}
