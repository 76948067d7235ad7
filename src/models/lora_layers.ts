/**
 * LoRA adapters as `vit.ts` sees them: one pair of matrices a linear layer, whether the original model keeps query, key and
 * value apart or not.
 *
 * @module
 */

import { WeightsError } from "../core/errors.ts";
import type { Adapter, AdapterModule } from "../io/peft.ts";
import type { WeightTensor } from "../io/weight_tensor.ts";
import type { Keymap } from "./families/keymap.ts";
import { layerOfModule, modulesOfLayer } from "./families/modules.ts";

/** An adapter's matrices for one layer, joined where the original model keeps q, k and v apart. */
export interface LayerAdapter {
  /** Rows of A. */
  readonly rank: number;
  /** Factor of B·A. */
  readonly scale: number;
  /** A, `[rank, in]`. */
  readonly a: Float32Array;
  /** B, `[out, rank]`. */
  readonly b: Float32Array;
}

async function joinModules(
  layer: string,
  modules: readonly (AdapterModule<WeightTensor> | undefined)[],
  rows: number,
  columns: number,
): Promise<LayerAdapter> {
  const present = modules.filter((module) => module !== undefined);
  const rank = present.reduce((sum, module) => sum + module.rank, 0);
  const scale = present.find((module) => module.scale !== 0)?.scale ?? 0;
  const a = new Float32Array(rank * columns);
  const b = new Float32Array(rows * rank);
  const height = rows / modules.length;
  let at = 0;
  for (const [piece, module] of modules.entries()) {
    if (!module) continue;
    if (module.a.count !== module.rank * columns || module.b.count !== height * module.rank) {
      throw new WeightsError(
        `Cannot apply the adapter to ${layer}: A has ${module.a.count} and B ${module.b.count} elements, wanted ${
          module.rank * columns
        } and ${height * module.rank}`,
        { context: { keys: [layer] } },
      );
    }
    a.set(await module.a.readF32(), at * columns);
    const part = await module.b.readF32();
    // Pieces with another scale than the first carry the difference in B.
    const factor = scale === 0 ? 1 : module.scale / scale;
    for (let i = 0; i < height; i++) {
      for (let r = 0; r < module.rank; r++) {
        b[(piece * height + i) * rank + at + r] = part[i * module.rank + r]! * factor;
      }
    }
    at += module.rank;
  }
  return { rank, scale, a, b };
}

/**
 * The adapter's layers by the names of `vit.ts`.
 *
 * @param keymap Of the weights it is to be applied to.
 * @throws {WeightsError} If it adapts what the encoder has not, or has matrices of other shapes.
 */
export async function adaptedLayers(adapter: Adapter, keymap: Keymap): Promise<Map<string, LayerAdapter>> {
  const shapes = new Map(keymap.entries.map(({ target, shape }) => [target, shape]));
  const layers = new Set<string>();
  for (const module of adapter.modules.keys()) {
    const found = layerOfModule(keymap.family, module);
    if (!found || !shapes.has(`${found.layer}.weight`)) {
      throw new WeightsError(`Cannot apply the adapter: it adapts ${module}, which this encoder has not`, {
        context: { keys: [module] },
      });
    }
    layers.add(found.layer);
  }
  const out = new Map<string, LayerAdapter>();
  for (const layer of layers) {
    const [rows, columns] = shapes.get(`${layer}.weight`) as unknown as [number, number];
    const pieces = modulesOfLayer(keymap.family, layer, keymap.arch.mlp).map((name) =>
      [...adapter.modules].find(([module]) =>
        module === name || module.endsWith(`.${name}`) || name.endsWith(`.${module}`)
      )?.[1]
    );
    if (pieces.every((piece) => !piece)) {
      throw new WeightsError(`Cannot apply the adapter to ${layer}: its modules have other names than the family's`, {
        context: { keys: [layer] },
      });
    }
    out.set(layer, await joinModules(layer, pieces, rows, columns));
  }
  return out;
}

/**
 * Adds s B A to a weight in place; each element is summed in f64 and rounded once.
 *
 * @param values Elements of the weight in row-major order, from element `from` of row `firstRow` of the layer on.
 */
export function addLora(
  values: Float32Array,
  { rank, scale, a, b }: LayerAdapter,
  from: number = 0,
  firstRow: number = 0,
): void {
  const columns = a.length / rank;
  const row = new Float64Array(columns);
  for (let at = 0; at < values.length;) {
    const i = firstRow + Math.floor((from + at) / columns);
    const first = (from + at) % columns;
    const end = Math.min(columns, first + values.length - at);
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scale * b[i * rank + r]!;
      for (let j = first; j < end; j++) row[j]! += factor * a[r * columns + j]!;
    }
    for (let j = first; j < end; j++) values[at++]! += row[j]!;
  }
}
