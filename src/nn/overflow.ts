/**
 * Notices activations that f16 cannot hold. What is stored beyond 65504 is an infinity; later layers may hide it (a key of minus
 * infinity weighs nothing), so each linear layer's outputs are counted where they are stored, under the layer's name.
 *
 * @module
 */

import { NumericsError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import type { OverflowCounts } from "../graph/plan.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import { OVERFLOW_GROUPS } from "../ops/overflow.ts";

/** Layers that can be told apart; ViT-g has 40 blocks of 5 products where only the first token is needed. */
export const OVERFLOW_ROWS = 512;

/** Counts of one or more plans; give it to each as `plan.overflow` before it is recorded. */
export class OverflowWatch implements OverflowCounts {
  readonly #gpu: Gpu;
  readonly #names: string[] = [];
  #counts: { readonly store: Store; readonly found: Tensor } | undefined;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Made when a layer asks for it: in f32 none does. */
  get found(): Tensor {
    if (!this.#counts) {
      const store = new Store(this.#gpu);
      const found = store.tensor("overflow", "overflow", [OVERFLOW_ROWS, OVERFLOW_GROUPS], "u32");
      store.allocate();
      this.#counts = { store, found };
    }
    return this.#counts.found;
  }

  row(name: string): number {
    const known = this.#names.indexOf(name);
    return known >= 0 ? known : this.#names.push(name) - 1;
  }

  /**
   * Looks at everything that ran since the last time: one wait.
   *
   * @param what Of the sentence "Cannot … in f16", as `embed`.
   * @throws {NumericsError} Naming the first layer whose outputs are beyond f16. Counts begin anew.
   */
  async check(what: string): Promise<void> {
    const rows = this.#names.length;
    if (rows === 0) return;
    const [counts] = await readback(this.#gpu, this.found.slice(0, [rows, OVERFLOW_GROUPS]));
    const sums = this.#names.map((_, row) => {
      let sum = 0;
      for (let i = 0; i < OVERFLOW_GROUPS; i++) sum += counts![row * OVERFLOW_GROUPS + i]!;
      return sum;
    });
    const first = sums.findIndex((sum) => sum > 0);
    if (first < 0) return;
    this.#counts!.store.write(this.found, new Uint32Array(this.found.size));
    const others = sums.filter((sum) => sum > 0).length - 1;
    throw new NumericsError(
      `Cannot ${what} in f16: ${this.#names[first]} gives ${sums[first]} numbers beyond 65504` +
        (others > 0 ? ` (and ${others} layers behind it)` : ""),
      {
        hint: "Use --precision f32 (precision=f32 in training)",
        context: { tensor: this.#names[first]!, count: sums[first]! },
      },
    );
  }

  /** Frees the counts. */
  destroy(): void {
    this.#counts?.store.destroy();
  }
}
