/**
 * Expression by retrieval: the spots of a bank whose expression lies nearest in the joint space, averaged by similarity.
 *
 * The bank is that of the volume of interest: others cannot know how its morphology and expression go together.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import { RowModel } from "../../train/row_model.ts";
import type { Parameters } from "../../nn/parameters.ts";
import type { VortexModel } from "./model.ts";
import type { VortexSession } from "./session.ts";

/** Expression of spots, z-scored, 0 where it was not measured, `[n, G]`. */
export type BankSpots = Float32Array<ArrayBuffer>;

/** Spots that can be retrieved. */
export interface Bank {
  /** Expression, `[n, G]`. */
  readonly x: Float32Array;
  /** In the joint space, `[n, W]`. */
  readonly embedded: Float32Array;
  readonly temperature: number;
}

/** Spots of the bank: those of interest that are trained on; of a run without a volume of interest all that are. */
export function bankSpots({ data, voiPairs }: Pick<VortexSession, "data" | "voiPairs">): BankSpots {
  const chosen = data.voi === undefined ? data.pairs.flatMap(({ part }, p) => (part === "train" ? [p] : [])) : voiPairs;
  const G = data.genes.length;
  const x = new Float32Array(chosen.length * G);
  chosen.forEach((pair, i) => x.set(data.x.subarray(pair * G, (pair + 1) * G), i * G));
  return x;
}

/** The temperature that similarity is divided by, as it was trained. */
export async function temperatureOf(parameters: Parameters): Promise<number> {
  const scale = (await parameters.read(["temperature"])).get("temperature")![0]!;
  return Math.min(0.5, Math.max(0.01, Math.exp(-scale)));
}

/** Embeds the expression of spots. */
export async function embedBank(gpu: Gpu, model: VortexModel, x: Float32Array, temperature: number): Promise<Bank> {
  const made = await RowModel.compile(
    gpu,
    { dim: model.sizes.genes, block: 64 },
    (g, rows) => model.gene(g, rows, false),
  );
  try {
    return { x, embedded: await made.run(x), temperature };
  } finally {
    made.destroy();
  }
}

/** Mean of the nearest of a bank, weighed by the softmax of similarity over temperature. @param image `[m, W]`. */
export function retrieve(bank: Bank, image: Float32Array, genes: number, most = 50): Float32Array<ArrayBuffer> {
  const n = bank.x.length / genes;
  const W = bank.embedded.length / n;
  const out = new Float32Array(image.length / W * genes);
  for (let i = 0; i < image.length / W; i++) {
    const near = Array.from({ length: n }, (_, j) => {
      let dot = 0;
      for (let k = 0; k < W; k++) dot += image[i * W + k]! * bank.embedded[j * W + k]!;
      return { j, dot };
    }).sort((a, b) => b.dot - a.dot || a.j - b.j).slice(0, most);
    const weights = near.map(({ dot }) => Math.exp((dot - near[0]!.dot) / bank.temperature));
    const total = weights.reduce((a, b) => a + b, 0);
    near.forEach(({ j }, r) => {
      for (let g = 0; g < genes; g++) out[i * genes + g]! += weights[r]! / total * bank.x[j * genes + g]!;
    });
  }
  return out;
}
