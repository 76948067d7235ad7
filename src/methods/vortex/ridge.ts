/**
 * The head of the volume of interest in closed form: ridge regression of its measured spots on what the poolers make of them,
 * its penalty chosen by leaving out sections in turn, or stripes of the one there is.
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

function stripes({ pairs }: Pick<VortexSession["data"], "pairs">, chosen: readonly number[], count: number): number[] {
  return stripesOf(chosen.map((pair) => pairs[pair]!.place), count);
}

/** Groups of spots that are left out in turn: sections, or stripes of the one there is. */
export function leftOutGroups(
  data: Pick<VortexSession["data"], "pairs">,
  chosen: readonly number[],
): (string | number)[] {
  const sections = chosen.map((pair) => data.pairs[pair]!.section);
  return new Set(sections).size > 1 ? sections : stripes(data, chosen, Math.min(STRIPES, chosen.length));
}

/** Spots of interest that the last steps are fitted to, and those at one end of the section by which they stop. */
export function fitPart(
  session: Pick<VortexSession, "data" | "voiPairs" | "config">,
): { readonly fit: readonly number[]; readonly held: readonly number[] } {
  const { voiPairs, config: { stages } } = session;
  const share = stages.voi_steps > 0 ? stages.val_fraction : 0;
  const held = Math.min(voiPairs.length - 3, Math.round(share * voiPairs.length));
  if (held < 1) return { fit: voiPairs, held: [] };
  const rank = stripes(session.data, voiPairs, voiPairs.length);
  const last = (i: number) => rank[i]! >= voiPairs.length - held;
  return { fit: voiPairs.filter((_, i) => !last(i)), held: voiPairs.filter((_, i) => last(i)) };
}

/**
 * Fits the head to what the model makes of the spots now. Behind other volumes their shared head is a second place to shrink to:
 * what it misses is fitted in the place of all of it, where spots that are left out are told better so.
 */
export async function fitHead(session: VortexSession): Promise<void> {
  const { data: { x: all, measured, genes }, heads, parameters, config: { model } } = session;
  const { fit } = fitPart(session);
  const [W, G] = [model.width, genes.length];
  const { pooled, heads: { shared } } = await session.say(fit);
  const x = { rows: fit.length, columns: W, data: Float64Array.from(pooled) };
  const groups = leftOutGroups(session.data, fit);
  const beyond = (told: ArrayLike<number> | undefined) => {
    const data = Float64Array.from({ length: fit.length * G }, (_, at) => {
      const of = fit[Math.floor(at / G)]! * G + at % G;
      // A gene that was not measured stays what it is told to be.
      return measured[of] === 0 ? 0 : all[of]! - (told?.[at] ?? 0);
    });
    return fitChosenRidge(x, { rows: fit.length, columns: G, data }, groups);
  };
  const plain = beyond(undefined);
  const rest = heads.some((head) => head >= 0) ? beyond(shared) : undefined;
  const better = rest !== undefined && Math.min(...rest.errors) < Math.min(...plain.errors);
  const { weights, intercept } = better ? rest : plain;
  const [weight, bias] = [Float32Array.from(weights.data), Float32Array.from(intercept)];
  if (better) {
    const base = await parameters.read(["head.shared.weight", "head.shared.bias"]);
    base.get("head.shared.weight")!.forEach((value, at) => weight[at]! += value);
    base.get("head.shared.bias")!.forEach((value, at) => bias[at]! += value);
  }
  parameters.load(
    new Map([
      ["head.voi.weight", { shape: [G, W], data: weight }],
      ["head.voi.bias", { shape: [G], data: bias }],
    ]),
    (name) => name.startsWith("head.voi."),
  );
}
