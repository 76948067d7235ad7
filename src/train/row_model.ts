/**
 * A module run as it is on any number of rows, a block on the device at a time.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import { Plan } from "../graph/plan.ts";
import type { Program } from "../graph/program.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";

/** The compiled module. */
export class RowModel {
  private constructor(
    private readonly gpu: Gpu,
    private readonly parts: { store: Store; program: Program; x: Tensor; y: Tensor },
  ) {}

  /**
   * Compiles it.
   *
   * @param record Appends the module: `[block, dim]` to `[block, width]`.
   */
  static async compile(
    gpu: Gpu,
    { dim, block }: { dim: number; block: number },
    record: (g: Plan, x: Tensor) => Tensor,
  ): Promise<RowModel> {
    const store = new Store(gpu);
    const x = store.tensor("x", "x", [block, dim]);
    store.allocate();
    const g = new Plan(gpu);
    const y = g.withoutTape(() => record(g, x));
    g.output(y);
    return new RowModel(gpu, { store, program: await g.compile(), x, y });
  }

  /** @param rows `[R, dim]`. @returns `[R, width]`. */
  async run(rows: Float32Array): Promise<Float32Array> {
    const { store, program, x, y } = this.parts;
    const [block, dim] = [x.dim(0), x.dim(1)];
    const [count, width] = [rows.length / dim, y.dim(1)];
    const out = new Float32Array(count * width);
    const padded = new Float32Array(x.size);
    for (let from = 0; from < count; from += block) {
      const to = Math.min(count, from + block);
      padded.set(rows.subarray(from * dim, to * dim));
      store.write(x, padded);
      program.run();
      const [made] = await readback(this.gpu, y);
      out.set((made as Float32Array).subarray(0, (to - from) * width), from * width);
    }
    return out;
  }

  /** Frees the plan; parameters stay. */
  destroy(): void {
    this.parts.program.destroy();
    this.parts.store.destroy();
  }
}
