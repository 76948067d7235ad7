/**
 * Losses by the names configurations use, with SEAL's factors.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { barlow, barlowMse, barlowSoft, barlowStdMse, barlowTwins } from "./barlow.ts";
import { cca } from "./cca.ts";
import { clip } from "./clip.ts";
import type { GeneLoss } from "./gene_loss.ts";
import { mmd } from "./mmd.ts";
import { negbin } from "./negbin.ts";
import { pcc } from "./pcc.ts";
import { pls } from "./pls.ts";
import { huber, l1, mse, standardizedMse } from "./pointwise.ts";
import { s2l } from "./s2l.ts";
import { softClip } from "./soft_clip.ts";

/** A gene loss and what a training step needs to know of it. */
export interface GeneLossEntry {
  /** The loss, without its factor. */
  readonly loss: GeneLoss;
  /** Factor in the total objective. */
  readonly scale: number;
  /** Whether it needs the standard deviation of each gene. */
  readonly needsStd: boolean;
  /** Fewest rows of a batch. */
  readonly rows: number;
}

function entry(loss: GeneLoss, scale: number, extra: Partial<GeneLossEntry> = {}): GeneLossEntry {
  return { loss, scale, needsStd: false, rows: 1, ...extra };
}

/** Gene losses: the values of `gene_loss`. */
export const GENE_LOSSES: Readonly<Record<string, GeneLossEntry>> = {
  mse: entry(mse, 10),
  standardized_mse: entry(standardizedMse, 10, { needsStd: true }),
  l1: entry(l1, 10),
  huber: entry(huber, 10),
  pcc: entry(pcc, 5),
  pls: entry(pls, 1, { rows: 2 }),
  barlow: entry(barlow, 0.1, { rows: 2 }),
  barlow_soft: entry(barlowSoft, 0.1, { rows: 2 }),
  barlow_mse: entry(barlowMse, 0.1, { rows: 2 }),
  barlow_std_mse: entry(barlowStdMse, 0.1, { needsStd: true, rows: 2 }),
  mmd: entry(mmd, 1),
  negbin: entry(negbin, 10),
};

/** The gene loss SEAL trains with. */
export const DEFAULT_GENE_LOSS = "barlow_std_mse";

/** Appends a loss between image and gene embeddings `[B, E]` with the options of that loss; returns `[1]`. */
export type ContrastiveLoss = (g: Plan, image: Tensor, gene: Tensor) => Tensor;

/** Contrastive losses: the values of `contrast_method`. Their own functions take options. */
export const CONTRASTIVE_LOSSES: Readonly<Record<string, ContrastiveLoss>> = {
  clip,
  soft_clip: softClip,
  s2l,
  cca,
  barlow: barlowTwins,
};

/**
 * Finds a loss by name.
 *
 * @param key Setting that holds the name, for the error.
 * @throws {ConfigError} If there is none of that name.
 */
export function lossNamed<L>(losses: Readonly<Record<string, L>>, key: string, name: string): L {
  if (Object.hasOwn(losses, name)) return losses[name]!;
  throw new ConfigError(`Cannot use ${key} "${name}": no such loss, wanted ${Object.keys(losses).join(", ")}`, {
    context: { key, given: name, wanted: Object.keys(losses) },
  });
}
