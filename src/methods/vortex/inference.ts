/**
 * The model at work, with the weights that it has now: slices to tokens, tokens to what the poolers and heads make of them,
 * blocks at a time.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import { readback } from "../../gpu/readback.ts";
import { Plan } from "../../graph/plan.ts";
import type { Program } from "../../graph/program.ts";
import { Store } from "../../graph/store.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { RowModel } from "../../train/row_model.ts";
import { depthValues } from "./batch.ts";
import type { VortexConfig } from "./config.ts";
import type { Head, VortexModel } from "./model.ts";
import type { Patch, PatchDepths } from "./sampler.ts";
import type { PatchEncoder } from "./slices.ts";

/** What is said of patches, a row each. */
export interface Said {
  /** Pooled for regression, `[n, W]`. */
  readonly pooled: Float32Array;
  /** In the joint space, `[n, W]`. */
  readonly image: Float32Array;
  /** Expression by the heads, `[n, G]`, z-scored; of the volumes' heads none. */
  readonly heads: Readonly<Partial<Record<Exclude<Head, "volume">, Float32Array>>>;
}

/** The model behind the encoder, compiled. */
export class Pooler {
  private constructor(
    private readonly gpu: Gpu,
    private readonly parts: {
      readonly store: Store;
      readonly program: Program;
      readonly inputs: Readonly<Record<"z" | "code" | "blind" | "weight", Tensor>>;
      readonly outputs: readonly Tensor[];
      readonly heads: readonly Exclude<Head, "volume">[];
      readonly aggregate: VortexConfig["model"]["aggregate"];
    },
  ) {}

  /** @param slices Tokens of a patch. @param block Patches at a time. */
  static async compile(
    gpu: Gpu,
    model: VortexModel,
    { config, patchEncoder, slices, block }: {
      readonly config: VortexConfig;
      readonly patchEncoder: Pick<PatchEncoder, "rowsOf" | "dim">;
      readonly slices: number;
      readonly block: number;
    },
  ): Promise<Pooler> {
    const { dim } = model.sizes;
    const store = new Store(gpu);
    const inputs = {
      z: store.tensor("z", "z", [block * patchEncoder.rowsOf(slices), patchEncoder.dim]),
      code: store.tensor("code", "code", [block, slices, dim]),
      blind: store.tensor("blind", "blind", [block, slices]),
      weight: store.tensor("weight", "weight", [block, slices]),
    };
    store.allocate();
    const g = new Plan(gpu);
    const heads: Exclude<Head, "volume">[] = config.model.heads === "per_volume" ? ["shared", "voi"] : ["shared"];
    const outputs = g.withoutTape(() => {
      const pooled = model.pool(g, inputs.z, inputs);
      return [pooled.regression, model.image(g, pooled), ...heads.map((head) => model.predict(g, pooled, head))];
    });
    for (const output of outputs) g.output(output);
    const program = await g.compile();
    const { aggregate } = config.model;
    return new Pooler(gpu, { store, program, inputs, outputs, heads, aggregate });
  }

  /** @param z Of patches what the encoder makes of their rows, one behind the other. @param depths Where their slices lie. */
  async run(z: Float32Array, depths: readonly PatchDepths[]): Promise<Said> {
    const { store, program, inputs, outputs, heads, aggregate } = this.parts;
    const [block, , D] = inputs.code.shape as [number, number, number];
    const each = inputs.z.size / block;
    const n = depths.length;
    const all = outputs.map((output) => new Float32Array(n * output.dim(1)));
    const tokens = new Float32Array(inputs.z.size);
    for (let from = 0; from < n; from += block) {
      const count = Math.min(block, n - from);
      const values = depthValues(depths.slice(from, from + count), { dim: D, aggregate, room: block });
      tokens.set(z.subarray(from * each, (from + count) * each));
      store.write(inputs.z, tokens);
      for (const name of ["code", "blind", "weight"] as const) store.write(inputs[name], values[name]);
      program.run();
      const read = await readback(this.gpu, ...outputs);
      read.forEach((values, o) => {
        const width = outputs[o]!.dim(1);
        all[o]!.set((values as Float32Array).subarray(0, count * width), from * width);
      });
    }
    const [pooled, image, ...said] = all;
    return { pooled: pooled!, image: image!, heads: Object.fromEntries(heads.map((head, h) => [head, said[h]!])) };
  }

  /** Frees the plan; parameters stay. */
  destroy(): void {
    this.parts.program.destroy();
    this.parts.store.destroy();
  }
}

/** Slices at a time. */
const SLICES = { gpu: 64, software: 32 } as const;

/** The encoder at work on rows of patches of so many slices. */
export function rowsModel(gpu: Gpu, encoder: PatchEncoder, slices: number): Promise<RowModel> {
  const most = SLICES[gpu.caps.software ? "software" : "gpu"];
  const block = Math.max(1, Math.floor(most * encoder.rowsOf(slices) / slices));
  return RowModel.compile(gpu, { dim: encoder.size(slices), block }, (g, x) => encoder.record(g, x, slices));
}

/** What the encoder makes of patches: tokens of their slices, or what is pooled of each, one behind the other. */
export async function encodePatches(
  made: RowModel,
  encoder: PatchEncoder,
  patches: readonly Patch[],
): Promise<Float32Array> {
  const rows = encoder.rows(patches);
  const all = new Float32Array(rows.length * rows[0]!.length);
  rows.forEach((row, i) => all.set(row, i * row.length));
  return await made.run(all);
}
