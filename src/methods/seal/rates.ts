/**
 * Learning rates of a run by stage and step.
 *
 * @module
 */

import type { RoleRates } from "../../optim/param_groups.ts";
import { learningRate } from "../../train/config/optim.ts";
import type { SealConfig } from "./config.ts";

/** Stages of a run: the gene model alone, then both sides. */
export type Stage = "warmup" | "align";

/**
 * Learning rates of a stage: cosine or constant over its steps, behind a linear rise.
 *
 * @param total Optimiser steps of the stage.
 * @returns Rates by step, from 0. What does not train in the stage has rate 0, which leaves it as it is.
 */
export function stageRates(
  { optim, warmup }: Pick<SealConfig, "optim" | "warmup">,
  stage: Stage,
  total: number,
): (step: number) => RoleRates {
  const { img_lr, gene_lr, head_lr } = optim;
  function schedule(lr: number): (step: number) => number {
    return lr === 0 ? () => 0 : learningRate({ ...optim, lr, min_lr: Math.min(lr, optim.min_lr) }, total);
  }
  if (stage === "warmup") {
    const gene = schedule(warmup.warmup_lr);
    return (step) => ({ img: 0, gene: gene(step), head: 0 });
  }
  const [img, gene] = [schedule(img_lr), schedule(warmup.two_stage_training ? 0 : gene_lr)];
  const head = schedule(head_lr ?? img_lr);
  return (step) => ({ img: img(step), gene: gene(step), head: head(step) });
}
