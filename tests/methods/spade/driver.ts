/** SPADE trained on a world as the command trains it, and what its experts say of rows. */

import type { Gpu } from "../../../src/gpu/device.ts";
import { SILENT } from "../../../src/core/reporter.ts";
import { disk } from "../../../src/io/fs.ts";
import { ExpertBank } from "../../../src/methods/spade/bank.ts";
import { SPADE_CONFIG, type SpadeConfig } from "../../../src/methods/spade/config.ts";
import type { SpadeData } from "../../../src/methods/spade/data.ts";
import { evenRouter, routerOf } from "../../../src/methods/spade/evidence.ts";
import type { ExpertValues } from "../../../src/methods/spade/expert.ts";
import {
  type BankPlan,
  openSession,
  shapeOf,
  type SpadeSession,
  valuesOf,
} from "../../../src/methods/spade/session.ts";
import { spadeTraining } from "../../../src/methods/spade/training.ts";
import type { Host } from "../../../src/train/host.ts";
import { trainIn, Watched } from "../../train/driver.ts";
import { WORLD, type World } from "./world.ts";

/** A configuration by its keys. */
export function configOf(given: Readonly<Record<string, string | number | boolean>>): SpadeConfig {
  const all = { data: "d", features: "f", curve: "[]", gene_scale: "z", ...given };
  return SPADE_CONFIG.read([], Object.entries(all).map(([key, value]): [string, string] => [key, String(value)]))
    .config;
}

/** A world as training sees it: its training rows are pairs, the others are held out. */
export function dataOf(world: World): SpadeData {
  const { options: { rows, train, dim }, image, gene, section } = world;
  const { genes, sections, organs } = WORLD;
  const [mean, std] = [new Float32Array(genes), new Float32Array(genes)];
  for (let g = 0; g < genes; g++) {
    const own = Float64Array.from({ length: train }, (_, r) => gene[r * genes + g]!);
    const m = own.reduce((a, b) => a + b, 0) / train;
    mean[g] = m;
    std[g] = Math.sqrt(own.reduce((a, b) => a + (b - m) ** 2, 0) / (train - 1));
  }
  const names = Array.from({ length: genes }, (_, g) => `G${g}`);
  const set = {
    count: rows,
    genes,
    fingerprint: "world",
    statistics: { mean, std },
    vocabulary: {
      genes: names,
      mean: Float64Array.from(mean),
      std: Float64Array.from(std),
      spots: new Uint32Array(genes).fill(train),
      chosen: new Uint32Array(genes).fill(1),
      origin: { criterion: "hvg", layer: "own", geneNorm: "log_norm", perSample: genes, samples: ["world"] },
    },
    pairs: () => Uint32Array.from({ length: train }, (_, i) => i),
    locate: (pair: number) => ({ sample: section[pair]!, row: 0 }),
    gather(pairs: ArrayLike<number>) {
      const out = new Float32Array(pairs.length * genes);
      for (let i = 0; i < pairs.length; i++) {
        out.set(gene.subarray(pairs[i]! * genes, (pairs[i]! + 1) * genes), i * genes);
      }
      return out;
    },
  };
  return {
    set: set as unknown as SpadeData["set"],
    panel: { genes: [], columns: [], source: "world", leftOut: [] },
    dim,
    features: image,
    facts: { encoder: "world" },
    organs: Array.from(
      { length: organs * (sections + 1) },
      (_, s) => `organ ${s < organs * sections ? Math.floor(s / sections) : s - organs * sections}`,
    ),
    mark: { fingerprint: "0".repeat(64), check: () => Promise.resolve() },
  };
}

/** Trains in a folder from what it holds. @param after Steps after which the run is stopped. */
export async function trainWorld(
  gpu: Gpu,
  config: SpadeConfig,
  data: SpadeData,
  { folder = Deno.makeTempDirSync({ prefix: "spade_" }), after = Infinity }: { folder?: string; after?: number } = {},
): Promise<{ session: SpadeSession; folder: string; reason: string }> {
  const session = openSession(gpu, config, data, { disk, reporter: SILENT } as unknown as Host);
  const { reason } = await trainIn(folder, spadeTraining(session), new Watched(after));
  return { session, folder, reason };
}

/** Both sides of rows by the experts of a bank. @param change Another order of the experts' values. */
export async function embed(
  session: SpadeSession,
  bank: BankPlan,
  { image, gene, change = (values) => values }: {
    image: Float32Array;
    gene: Float32Array;
    change?: (values: ExpertValues[]) => ExpertValues[];
  },
) {
  const { data: { dim }, gpu } = session;
  const shape = shapeOf(session, bank.name);
  const values = change(await valuesOf(session, bank));
  const router = bank.name === "spade" ? routerOf(session) : evenRouter(dim, values.length);
  const compiled = await ExpertBank.compile(gpu, { router, shape, values, sides: ["img", "gene"] });
  const out = await compiled.run(image, scaledGenes(session, gene));
  compiled.destroy();
  return { image: out.img, gene: out.gene!, routing: out.routing, width: shape.width };
}

function scaledGenes({ data: { set }, config }: SpadeSession, gene: Float32Array): Float32Array {
  if (config.genes.gene_scale === "none") return gene;
  const { mean, std } = set.statistics;
  return gene.map((value, i) => (value - mean[i % set.genes]!) / std[i % set.genes]!);
}

function normalised(x: Float32Array, width: number): Float32Array {
  const out = x.slice();
  for (let r = 0; r < x.length / width; r++) {
    const row = out.subarray(r * width, (r + 1) * width);
    const norm = Math.hypot(...row);
    row.forEach((value, j) => row[j] = value / norm);
  }
  return out;
}

/** Recall@5 of a row's expression by its image among pools of 64 rows of its type, by cosine. */
export function recallWithinTypes(
  made: { image: Float32Array; gene: Float32Array; width: number },
  type: ArrayLike<number>,
): number {
  const { width } = made;
  const [image, gene] = [normalised(made.image, width), normalised(made.gene, width)];
  let [hits, queries] = [0, 0];
  for (let k = 0; k < WORLD.types; k++) {
    const own = Array.from({ length: type.length }, (_, r) => r).filter((r) => type[r] === k);
    for (let from = 0; from + 64 <= own.length; from += 64) {
      const pool = own.slice(from, from + 64);
      for (const q of pool) {
        const score = (r: number) => {
          let sum = 0;
          for (let j = 0; j < width; j++) sum += image[q * width + j]! * gene[r * width + j]!;
          return sum;
        };
        const mine = score(q);
        hits += pool.filter((r) => score(r) > mine).length < 5 ? 1 : 0;
        queries++;
      }
    }
  }
  return hits / queries;
}

/** Mean correlation within types of each gene with the mean of the 20 training rows of the type nearest to its image. */
export function neighbourPearson(
  train: { gene: Float32Array; type: ArrayLike<number>; expression: Float32Array },
  test: { image: Float32Array; type: ArrayLike<number>; expression: Float32Array },
  width: number,
): number {
  const G = WORLD.genes;
  const keys = normalised(train.gene, width);
  const queries = normalised(test.image, width);
  const all: number[] = [];
  for (let k = 0; k < WORLD.types; k++) {
    const of = (type: ArrayLike<number>) =>
      Array.from({ length: type.length }, (_, r) => r).filter((r) => type[r] === k);
    const [known, asked] = [of(train.type), of(test.type)];
    const predicted = asked.map((q) => {
      const scored = known.map((r) => {
        let sum = 0;
        for (let j = 0; j < width; j++) sum += queries[q * width + j]! * keys[r * width + j]!;
        return { r, sum };
      }).sort((a, b) => b.sum - a.sum || a.r - b.r).slice(0, 20);
      return Float64Array.from(
        { length: G },
        (_, g) => scored.reduce((sum, { r }) => sum + train.expression[r * G + g]!, 0) / scored.length,
      );
    });
    for (let g = 0; g < G; g++) {
      const a = predicted.map((row) => row[g]!);
      const b = asked.map((q) => test.expression[q * G + g]!);
      const [ma, mb] = [a, b].map((v) => v.reduce((x, y) => x + y, 0) / v.length) as [number, number];
      let [ab, aa, bb] = [0, 0, 0];
      a.forEach((value, i) => {
        ab += (value - ma) * (b[i]! - mb);
        aa += (value - ma) ** 2;
        bb += (b[i]! - mb) ** 2;
      });
      all.push(ab / Math.sqrt(aa * bb));
    }
  }
  return all.reduce((a, b) => a + b, 0) / all.length;
}

/** Rows of a world, `from` up to `to`. */
export function rowsOf({ options: { dim }, image, gene, type, z, organ }: World, from: number, to: number) {
  const G = WORLD.genes;
  const latent = z.length / type.length;
  return {
    image: image.slice(from * dim, to * dim),
    gene: gene.slice(from * G, to * G),
    type: type.slice(from, to),
    organ: organ.slice(from, to),
    z: z.slice(from * latent, to * latent),
  };
}
