/**
 * Experts in use: a feature vector goes to all of them, and what they say is summed by how near it lies to their centroids.
 *
 * d_k = |x - c_k|, a = softmax(-d / temperature), w_e = sum of a_k over the centroids of expert e, y = sum of w_e H_e(x).
 * Distances, weights and heads are f32. A row is out of distribution where its nearest centroid is farther than the 99th
 * percentile of the training rows of that centroid.
 *
 * Experts are trained apart, so that their outputs have unrelated axes: rows of two experts are not to be compared.
 *
 * @module
 */

import { ShapeError } from "../../core/errors.ts";
import type { Gpu } from "../../gpu/device.ts";
import { readback } from "../../gpu/readback.ts";
import { Plan } from "../../graph/plan.ts";
import type { Program } from "../../graph/program.ts";
import { Store } from "../../graph/store.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { Parameters } from "../../nn/parameters.ts";
import { clamp, sqrt, square } from "../../ops/activation.ts";
import { add, mul } from "../../ops/binary.ts";
import { cast } from "../../ops/cast.ts";
import { linear } from "../../ops/linear.ts";
import { matmul } from "../../ops/matmul.ts";
import { sum } from "../../ops/reduce.ts";
import { affine } from "../../ops/scale.ts";
import { slice } from "../../ops/slice.ts";
import { softmax } from "../../ops/softmax.ts";
import { squares } from "../../eval/kmeans.ts";
import type { SpadeClusters } from "./clusters.ts";
import {
  createExpert,
  type Expert,
  type ExpertShape,
  type ExpertValues,
  loadExpert,
  type Side,
  SIDES,
} from "./expert.ts";

/** How rows find experts. */
export type Router = Pick<SpadeClusters, "centroids" | "table" | "experts" | "radius"> & {
  readonly temperature: number;
};

/** What the router says of rows. */
export interface Routing {
  /** `[R, E]`, f32. */
  readonly weights: Float32Array;
  /** Expert of the greatest weight. */
  readonly expert: Uint32Array;
  /** -sum of w ln w. */
  readonly entropy: Float64Array;
  /** Nearest fine centroid, and its distance. */
  readonly nearest: Uint32Array;
  readonly distance: Float64Array;
  /** 1 for rows that are out of distribution. */
  readonly outside: Uint8Array;
}

/** What a bank says of rows. */
export interface BankResult {
  /** `[R, width]` of each side that was asked for. */
  readonly img: Float32Array;
  readonly gene: Float32Array | undefined;
  readonly routing: Routing;
}

/** Rows of a block. */
const BLOCK = 1024;

/** The router on the device. */
export interface RouterTensors {
  /** Centroids times -2, `[F, d]`, and their squared lengths `[F]`. */
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** 1 where a centroid is an expert's, `[F, E]`. */
  readonly table: Tensor;
  readonly temperature: number;
}

/** Appends the weights of experts. @param x `[R, d]`. */
export function routeRows(
  g: Plan,
  x: Tensor,
  router: RouterTensors,
): { weights: Tensor; distances: Tensor } {
  const { weight, bias, table, temperature } = router;
  const norms = sum(g, square(g, x), { dims: 1, keepDims: true });
  // |x|² - 2 x·c + |c|², which rounding may bring below 0.
  const squared = add(g, linear(g, x, { weight, bias }), norms);
  const distances = sqrt(g, clamp(g, squared, 0, 3e38));
  const shares = softmax(g, affine(g, distances, -1 / temperature));
  return { weights: matmul(g, shares, table), distances };
}

/** Appends what all experts say of rows, summed by their weights. */
export function mixRows(
  g: Plan,
  { x, gene }: { x: Tensor; gene: Tensor | undefined },
  { experts, half = false, ...router }: RouterTensors & { experts: readonly Expert[]; half?: boolean },
): { weights: Tensor; distances: Tensor; img: Tensor; gene: Tensor | undefined } {
  return g.withoutTape(() => {
    const routed = routeRows(g, x, router);
    const side = (name: Side, input: Tensor) => {
      // Distances of f16 would change weights by tenths: what routes stays f32.
      const z = cast(g, input, half ? "f16" : "f32");
      return experts.map((expert, e) =>
        mul(g, cast(g, expert[name].forward(g, z, false), "f32"), slice(g, routed.weights, 1, e, 1))
      ).reduce((a, b) => add(g, a, b));
    };
    return { ...routed, img: side("img", x), gene: gene && side("gene", gene) };
  });
}

/** What the plan reads and writes. */
interface BankTensors {
  readonly x: Tensor;
  /** Expression, where that side is there. */
  readonly g: Tensor | undefined;
  readonly weights: Tensor;
  readonly distances: Tensor;
  readonly img: Tensor;
  readonly gene: Tensor | undefined;
}

/** Compiled experts. */
export class ExpertBank {
  readonly #gpu: Gpu;
  readonly #store: Store;
  readonly #parameters: Parameters;
  readonly #program: Program;
  readonly #t: BankTensors;

  private constructor(
    parts: { gpu: Gpu; store: Store; parameters: Parameters; program: Program; tensors: BankTensors },
    readonly router: Router,
    readonly shape: ExpertShape,
    readonly sides: readonly Side[],
  ) {
    this.#gpu = parts.gpu;
    this.#store = parts.store;
    this.#parameters = parts.parameters;
    this.#program = parts.program;
    this.#t = parts.tensors;
  }

  /**
   * Compiles the plan.
   *
   * @param values Of each expert, as many as the router has.
   * @param sides Which heads; expression is routed as its image is.
   * @param half Whether heads compute in f16, where the device has it.
   * @throws {ShapeError} If there are more or fewer values than experts.
   * @throws {WeightsError} If values are not those of such experts.
   */
  static async compile(
    gpu: Gpu,
    { router, shape, values, sides = ["img"], half = false }: {
      router: Router;
      shape: ExpertShape;
      values: readonly ExpertValues[];
      sides?: readonly Side[];
      half?: boolean;
    },
  ): Promise<ExpertBank> {
    if (values.length !== router.experts) {
      throw new ShapeError(`Cannot use experts: ${values.length} are there, ${router.experts} wanted by the router`);
    }
    const store = new Store(gpu);
    const parameters = new Parameters(gpu, false);
    const dim = shape.inputs.img;
    const F = router.table.length;
    const x = store.tensor("x", "x", [BLOCK, dim]);
    const gene = sides.includes("gene") ? store.tensor("gene", "gene", [BLOCK, shape.inputs.gene]) : undefined;
    const weight = store.tensor("router", "weight", [F, dim]);
    const bias = store.tensor("router", "bias", [F]);
    const table = store.tensor("router", "table", [F, router.experts]);
    const experts: Expert[] = values.map((_, e) => createExpert(parameters, `experts.${e}`, shape, sides));
    parameters.allocate();
    store.allocate();
    const g = new Plan(gpu);
    const out = mixRows(g, { x, gene }, { weight, bias, table, temperature: router.temperature, experts, half });
    g.output(out.weights, out.distances, out.img, ...(out.gene ? [out.gene] : []));
    const program = await g.compile();
    values.forEach((value, e) => loadExpert(parameters, experts[e]!, onSides(value, sides)));
    store.write(weight, router.centroids.map((value) => -2 * value));
    store.write(bias, Float32Array.from(squares(router.centroids, dim)));
    const hot = new Float32Array(F * router.experts);
    router.table.forEach((e, k) => hot[k * router.experts + e] = 1);
    store.write(table, hot);
    return new ExpertBank({ gpu, store, parameters, program, tensors: { x, g: gene, ...out } }, router, shape, sides);
  }

  /**
   * Runs rows through all experts.
   *
   * @param rows `[R, d]`. @param genes `[R, G]`, where the bank has that side.
   */
  async run(rows: Float32Array, genes?: Float32Array): Promise<BankResult> {
    const { width, inputs } = this.shape;
    const { experts, table: { length: F } } = this.router;
    const count = rows.length / inputs.img;
    const { g } = this.#t;
    const out = {
      img: new Float32Array(count * width),
      gene: g && new Float32Array(count * width),
      weights: new Float32Array(count * experts),
      distances: new Float32Array(count * F),
    };
    for (let from = 0; from < count; from += BLOCK) {
      const to = Math.min(count, from + BLOCK);
      this.#store.write(this.#t.x, padded(rows, from, to, inputs.img));
      if (g) this.#store.write(g, padded(genes!, from, to, inputs.gene));
      this.#program.run();
      const { weights, distances, img, gene } = this.#t;
      const read = await readback(this.#gpu, weights, distances, img, ...(gene ? [gene] : []));
      const part = (i: number, columns: number) => (read[i] as Float32Array).subarray(0, (to - from) * columns);
      out.weights.set(part(0, experts), from * experts);
      out.distances.set(part(1, F), from * F);
      out.img.set(part(2, width), from * width);
      out.gene?.set(part(3, width), from * width);
    }
    return { img: out.img, gene: out.gene, routing: routingOf(this.router, out) };
  }

  /** Frees everything. */
  destroy(): void {
    this.#program.destroy();
    this.#parameters.destroy();
    this.#store.destroy();
  }
}

function onSides(values: ExpertValues, sides: readonly Side[]): ExpertValues {
  if (sides.length === SIDES.length) return values;
  return new Map([...values].filter(([name]) => sides.some((side) => name.startsWith(`${side}.`))));
}

/** Rows of a block; zeros behind the last. */
function padded(rows: Float32Array, from: number, to: number, dim: number): Float32Array {
  const part = rows.subarray(from * dim, to * dim);
  if (to - from === BLOCK) return part;
  const out = new Float32Array(BLOCK * dim);
  out.set(part);
  return out;
}

/** What follows from weights and distances. */
function routingOf(
  { experts, table, radius }: Router,
  { weights, distances }: { weights: Float32Array; distances: Float32Array },
): Routing {
  const F = table.length;
  const count = distances.length / F;
  const routing = {
    weights,
    expert: new Uint32Array(count),
    entropy: new Float64Array(count),
    nearest: new Uint32Array(count),
    distance: new Float64Array(count),
    outside: new Uint8Array(count),
  };
  for (let r = 0; r < count; r++) {
    let [best, near, entropy] = [0, 0, 0];
    for (let e = 0; e < experts; e++) {
      const w = weights[r * experts + e]!;
      if (w > weights[r * experts + best]!) best = e;
      if (w > 0) entropy -= w * Math.log(w);
    }
    for (let k = 1; k < F; k++) if (distances[r * F + k]! < distances[r * F + near]!) near = k;
    const distance = distances[r * F + near]!;
    routing.expert[r] = best;
    routing.entropy[r] = entropy;
    routing.nearest[r] = near;
    routing.distance[r] = distance;
    routing.outside[r] = distance > radius[near]! ? 1 : 0;
  }
  return routing;
}
