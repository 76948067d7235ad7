/**
 * What training takes from the keys of the optimiser, and what must hold between them.
 *
 * @module
 */

import type { Rule, ValuesOf } from "../../core/config_key.ts";
import type { AdamwSettings } from "../../optim/adamw.ts";
import { constantSchedule, cosineSchedule } from "../../optim/schedule.ts";
import type { ADAMW_KEYS } from "./keys.ts";

type Values<K extends keyof typeof ADAMW_KEYS> = Pick<ValuesOf<typeof ADAMW_KEYS>, K>;

/** Options of AdamW. */
export function adamwOptions({ beta1, beta2, eps, clip_norm }: Values<"beta1" | "beta2" | "eps" | "clip_norm">) {
  return { beta1, beta2, eps, clipNorm: clip_norm } satisfies AdamwSettings;
}

/**
 * Learning rate of a stage: cosine or constant over its steps, behind a linear rise.
 *
 * @param total Optimiser steps of the stage.
 * @returns Rate by step, from 0.
 */
export function learningRate(
  { lr, scheduler, lr_warmup_steps, min_lr }: Values<"lr" | "scheduler" | "lr_warmup_steps" | "min_lr">,
  total: number,
): (step: number) => number {
  const warmup = Math.min(lr_warmup_steps, total);
  return scheduler === "constant"
    ? constantSchedule({ base: lr, warmup })
    : cosineSchedule({ base: lr, warmup, total: Math.max(1, total), min: min_lr });
}

/** The learning rate falls. Constant ones do not end with `min_lr`. */
export function rateRule({ lr, scheduler, min_lr }: Values<"lr" | "scheduler" | "min_lr">): Rule {
  return [
    ["min_lr", "lr"],
    scheduler !== "cosine" || min_lr <= lr,
    `Cannot train: min_lr is ${min_lr}, wanted at most lr, ${lr}`,
    "Lower min_lr",
  ];
}

/** Most tiles of a step. */
const STEP_TILES = 1 << 20;

/** The tiles of a step can be held. @param hint The mend. */
export function tilesRule({ batch_size, tiles }: { batch_size: number; tiles: number }, hint: string): Rule {
  return [
    ["batch_size", "tiles"],
    batch_size * tiles <= STEP_TILES,
    `Cannot train: ${batch_size} bags of ${tiles} tiles a step, wanted at most ${STEP_TILES} tiles`,
    hint,
  ];
}
