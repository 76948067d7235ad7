/**
 * A learned vector for the organ of a patch, added to its embedding.
 *
 * Source: SEAL, `seal/models/load_model.py`, `cache/organ_ids.json`. How its training used the token is not published.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { moduleRng, normal } from "../nn/init.ts";
import type { Parameters } from "../nn/parameters.ts";
import { add } from "../ops/binary.ts";
import { gather } from "../ops/gather.ts";
import { expectSizes, type ModuleOptions } from "./module_options.ts";

/** Organs in the order of their numbers. */
export const ORGANS: readonly string[] = [
  "Bladder",
  "Bowel",
  "Brain",
  "Breast",
  "Cervix",
  "Heart",
  "Kidney",
  "Liver",
  "Lung",
  "Ovary",
  "Pancreas",
  "Prostate",
  "Skin",
  "Uterus",
];

/**
 * Number of an organ by its name, whatever its case.
 *
 * @throws {ConfigError} If it is none of the fourteen.
 */
export function organId(name: string): number {
  const wanted = name.trim().toLowerCase();
  const id = ORGANS.findIndex((organ) => organ.toLowerCase() === wanted);
  if (id >= 0) return id;
  const near = nearest(wanted, ORGANS.map((organ) => organ.toLowerCase()));
  throw new ConfigError(`Cannot use organ "${name}": wanted one of ${ORGANS.join(", ")}`, {
    ...(near !== undefined && { hint: `Did you mean ${ORGANS.find((organ) => organ.toLowerCase() === near)}?` }),
    context: { key: "organ", given: name, wanted: ORGANS },
  });
}

/** An organ token whose parameters exist. */
export interface OrganToken {
  /** `[14, D]`. */
  readonly weight: Tensor;
  /**
   * Appends z + token of the organ.
   *
   * @param z Image embedding `[B, D]`.
   * @param ids Numbers of the organs, u32 `[B]`. One that is none of the fourteen makes its row NaN.
   */
  forward(g: Plan, z: Tensor, ids: Tensor): Tensor;
}

/**
 * Adds `organ_emb.weight`.
 *
 * @throws {ConfigError} If `dim` is no size.
 */
export function createOrganToken(
  parameters: Parameters,
  { dim }: { readonly dim: number },
  { prefix = "", seed }: ModuleOptions = {},
): OrganToken {
  expectSizes("the organ token", { dim });
  const name = `${prefix}organ_emb`;
  const rng = moduleRng(seed, name);
  const weight = parameters.add(`${name}.weight`, [ORGANS.length, dim], rng && { init: normal(rng) });
  return { weight, forward: (g, z, ids) => add(g, z, gather(g, weight, ids)) };
}
