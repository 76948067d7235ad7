/**
 * The head of the volume of interest in closed form: ridge regression of its measured spots on what the poolers make of them,
 * its penalty chosen by leaving out stripes of the section in turn.
 *
 * @module
 */

import { fitChosenRidge } from "../../eval/ridge_choice.ts";
import type { VortexSession } from "./session.ts";

/** Stripes that are left out in turn. */
const STRIPES = 5;

/** Number of the stripe of each of some places, along the longer side of what they cover. */
export function stripesOf(places: readonly (readonly number[])[], count: number): number[] {
  const at = (axis: 0 | 1) => places.map((place) => place[axis]!);
  const reach = (values: readonly number[]) => Math.max(...values) - Math.min(...values);
  const along = reach(at(0)) >= reach(at(1)) ? at(0) : at(1);
  const order = along.map((_, i) => i).sort((a, b) => along[a]! - along[b]! || a - b);
  const stripe = new Array<number>(places.length);
  order.forEach((i, rank) => stripe[i] = Math.floor(rank * count / order.length));
  return stripe;
}

function stripes({ data: { pairs } }: Pick<VortexSession, "data">, chosen: readonly number[], count: number): number[] {
  return stripesOf(chosen.map((pair) => pairs[pair]!.place), count);
}

/** Spots of interest that the last steps are fitted to, and those at one end of the section by which they stop. */
export function fitPart(
  session: Pick<VortexSession, "data" | "voiPairs" | "config">,
): { readonly fit: readonly number[]; readonly held: readonly number[] } {
  const { voiPairs, config: { stages } } = session;
  const share = stages.voi_steps > 0 ? stages.val_fraction : 0;
  const held = Math.min(voiPairs.length - 3, Math.round(share * voiPairs.length));
  if (held < 1) return { fit: voiPairs, held: [] };
  const rank = stripes(session, voiPairs, voiPairs.length);
  const last = (i: number) => rank[i]! >= voiPairs.length - held;
  return { fit: voiPairs.filter((_, i) => !last(i)), held: voiPairs.filter((_, i) => last(i)) };
}

/** Fits the head to what the model makes of the spots now. */
export async function fitHead(session: VortexSession): Promise<void> {
  const { data, parameters, config: { model } } = session;
  const { fit } = fitPart(session);
  const [W, G] = [model.width, data.genes.length];
  const { pooled } = await session.say(fit);
  const x = { rows: fit.length, columns: W, data: Float64Array.from(pooled) };
  const y = {
    rows: fit.length,
    columns: G,
    data: Float64Array.from({ length: fit.length * G }, (_, i) => data.x[fit[Math.floor(i / G)]! * G + i % G]!),
  };
  const { weights, intercept } = fitChosenRidge(x, y, stripes(session, fit, Math.min(STRIPES, fit.length)));
  parameters.load(
    new Map([
      ["head.voi.weight", { shape: [G, W], data: Float32Array.from(weights.data) }],
      ["head.voi.bias", { shape: [G], data: Float32Array.from(intercept) }],
    ]),
    (name) => name.startsWith("head.voi."),
  );
}
