/**
 * Matrix units of an adapter: the shapes that one subgroup multiplies at once, where WebGPU offers them. The standard has only
 * a draft of them, which Dawn implements as an experiment.
 *
 * @module
 */

/** The feature by which a device is asked for them. */
export const MATRIX_FEATURE = "chromium-experimental-subgroup-matrix";

/** What one subgroup multiplies: M x K by K x N. */
export interface MatrixConfig {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** Type of the operands, as `f16`. */
  readonly operands: string;
  /** Type of the sums, as `f32`. */
  readonly sums: string;
}

/** An entry as Dawn has it. */
interface OfferedConfig {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly componentType: string;
  readonly resultComponentType: string;
}

/** All shapes that an adapter offers; none where its WebGPU knows of no matrix units. */
export function matrixConfigs(adapter: GPUAdapter): MatrixConfig[] {
  if (!(adapter.features as unknown as ReadonlySet<string>).has(MATRIX_FEATURE)) return [];
  const { subgroupMatrixConfigs } = adapter.info as { subgroupMatrixConfigs?: readonly OfferedConfig[] };
  return [...subgroupMatrixConfigs ?? []].map(({ M, N, K, componentType, resultComponentType }) => ({
    M,
    N,
    K,
    operands: componentType,
    sums: resultComponentType,
  }));
}

/** A shape for people: `8x8x8 f16 to f32`. */
export function describeMatrix({ M, N, K, operands, sums }: MatrixConfig): string {
  return `${M}x${N}x${K} ${operands} to ${sums}`;
}
