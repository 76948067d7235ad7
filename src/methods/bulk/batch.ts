/**
 * Batches of bags: which tiles a step sees, and whose expression they get.
 *
 * @module
 */

import { Rng, streamOf } from "../../core/rng.ts";
import { NO_NEGATIVE } from "../../losses/masked_clip.ts";
import { affine } from "../../ops/scale.ts";
import { square } from "../../ops/activation.ts";
import { add, sub } from "../../ops/binary.ts";
import { meanAll } from "../../ops/reduce.ts";
import type { Parameters } from "../../nn/parameters.ts";
import type { StepBatch, StepModel } from "../../train/step_model.ts";
import type { BulkConfig } from "./config.ts";
import { type BulkData, type BulkSlide, drawTiles } from "./data.ts";
import type { Arm, BulkArm } from "./model.ts";
import { stacked, type TileRow, type Tiles } from "./tiles.ts";

/** Sizes of a step. */
export interface BulkStepSizes {
  readonly genes: number;
  /** Bags, of several tiles each. */
  readonly bags: number;
  readonly tiles: number;
  readonly modality?: number | undefined;
  readonly pairing: BulkConfig["model"]["pairing"];
  readonly lambdaKd: number;
}

/** What a step of an arm trains: rows are tiles, items are bags, or tiles by themselves. */
export function bulkStep(
  parameters: Parameters,
  arm: BulkArm,
  tiles: Pick<Tiles, "dim" | "input">,
  { genes, bags, tiles: each, modality, pairing, lambdaKd }: BulkStepSizes,
): StepModel<TileRow> {
  const items = pairing === "tile" ? bags * each : bags;
  const { dim } = tiles;
  return {
    parameters,
    rows: { dim, input: tiles.input(arm) },
    fields: (store) => ({
      bound: store.tensor("bound", "bound", [items + 1], "u32"),
      rna: store.tensor("rna", "rna", [items, genes]),
      mask: store.tensor("mask", "mask", [items, items]),
      ...(modality !== undefined && { modality: store.tensor("modality", "modality", [items, modality]) }),
      ...(lambdaKd > 0 && { base: store.tensor("base", "base", [bags * each, dim]) }),
    }),
    objective(g, z, { bound, rna, mask, modality, base }) {
      const losses = arm.losses(g, z!, { bound: bound!, rna: rna!, mask: mask!, modality }, true);
      if (base === undefined) return losses;
      const moved = meanAll(g, square(g, sub(g, z!, base)));
      return { loss: add(g, losses.loss, affine(g, moved, lambdaKd)), loss_kd: moved };
    },
  };
}

/** Patients whose expression bags get: their own, or exchanged among all of a part for the control. */
export function expressionOf(
  { slides, patients }: Pick<BulkData, "slides" | "patients">,
  arm: Arm,
  seed: number,
): Uint32Array {
  const own = Uint32Array.from(patients, (_, p) => p);
  if (!arm.startsWith("shuffled")) return own;
  for (const part of ["train", "val", "test"] as const) {
    const members = [...new Set(slides.filter((slide) => slide.part === part).map(({ patient }) => patient))];
    // A cycle through a random order: nobody keeps his own.
    const order = [...new Rng(seed, streamOf(`exchange in ${part}`)).permutation(members.length)].map((i) =>
      members[i]!
    );
    order.forEach((patient, i) => own[patient] = order[(i + 1) % order.length]!);
  }
  return own;
}

/** What a batch is drawn by. */
export interface BatchDraw {
  readonly tiles: number;
  readonly seed: number;
  readonly epoch: number;
  readonly pairing: BulkConfig["model"]["pairing"];
  readonly lambdaKd: number;
}

/** A batch of bags. @param of Whose expression each patient gets. */
export async function bulkBatch(
  { rna, genes, modality }: Pick<BulkData, "rna" | "genes" | "modality">,
  source: Pick<Tiles, "row" | "given" | "dim">,
  bags: readonly BulkSlide[],
  of: Uint32Array,
  { pairing, lambdaKd, ...draw }: BatchDraw,
): Promise<StepBatch<TileRow>> {
  const drawn = bags.map((bag) => drawTiles(bag, draw));
  const rows = bags.flatMap((bag, b) => Array.from(drawn[b]!, (tile) => source.row(bag, tile, draw.epoch)));
  const each = pairing === "tile" ? 1 : draw.tiles;
  const items = pairing === "tile" ? bags.flatMap((bag) => Array<BulkSlide>(draw.tiles).fill(bag)) : bags;
  const gather = (values: Float32Array, width: number) =>
    stacked(items.map(({ patient }) => values.subarray(of[patient]! * width, (of[patient]! + 1) * width)), width);
  const B = items.length;
  const mask = new Float32Array(B * B);
  items.forEach(({ patient }, b) =>
    items.forEach((other, c) => mask[b * B + c] = b !== c && other.patient === patient ? NO_NEGATIVE : 0)
  );
  const base = lambdaKd > 0 ? await source.given(bags.map((slide, b) => ({ slide, tiles: drawn[b]! }))) : undefined;
  return {
    rows,
    fields: {
      bound: Uint32Array.from({ length: B + 1 }, (_, b) => b * each),
      rna: gather(rna, genes.length),
      mask,
      ...(modality && { modality: gather(modality.values, modality.width) }),
      ...(base && { base }),
    },
  };
}
