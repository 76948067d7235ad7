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

/** Matrix units that the kernels use: f16 operands, f32 sums. */
export interface MatrixUnits {
  /** Rows of the first operand. */
  readonly M: number;
  /** Columns of the second. */
  readonly N: number;
  /** Terms of each sum. */
  readonly K: number;
  /** Invocations of a subgroup. */
  readonly subgroup: number;
}

/** Extents that tiles of the kernels divide by. */
const EXTENTS: readonly number[] = [8, 16];
/** Bytes of workgroup memory that the largest tile takes, of the largest units: more than every device has. */
const WORKGROUP_BYTES = 17408;
/** Subgroups that the kernels divide their work by. */
const SUBGROUPS: readonly number[] = [8, 16, 32, 64];

/** The units of an adapter that the kernels can use, largest first: of several, that does most at once. @returns Or why none. */
export function usableUnits(adapter: GPUAdapter): MatrixUnits[] | string {
  const configs = matrixConfigs(adapter);
  if (configs.length === 0) return "its WebGPU offers none";
  // Not every WebGPU tells them.
  const { subgroupMinSize: least, subgroupMaxSize: most }: Partial<GPUAdapterInfo> = adapter.info;
  if (most === undefined || least !== most || !SUBGROUPS.includes(most)) {
    return `its subgroups have ${least} to ${most} invocations, wanted one of ${SUBGROUPS.join(", ")}`;
  }
  const { maxComputeWorkgroupStorageSize: bytes } = adapter.limits;
  if (bytes < WORKGROUP_BYTES) return `a workgroup has ${bytes} bytes of memory, wanted ${WORKGROUP_BYTES}`;
  const usable = configs.filter(({ M, N, K, operands, sums }) =>
    operands === "f16" && sums === "f32" && [M, N, K].every((extent) => EXTENTS.includes(extent))
  );
  if (usable.length === 0) {
    return `it offers ${configs.map(describeMatrix).join(", ")}, wanted f16 to f32 of extents ${EXTENTS.join(" or ")}`;
  }
  return usable.sort((a, b) => b.M * b.N * b.K - a.M * a.N * a.K)
    .map(({ M, N, K }) => ({ M, N, K, subgroup: most }));
}

/** A shape for people: `8x8x8 f16 to f32`. */
export function describeMatrix({ M, N, K, operands, sums }: MatrixConfig): string {
  return `${M}x${N}x${K} ${operands} to ${sums}`;
}

/**
 * The units that products of a run go by, `8x8x8`, which rounds otherwise than the ordinary kernels; undefined where none does:
 * they multiply halves alone.
 */
export function matrixInUse(units: MatrixUnits | undefined, precision: unknown): string | undefined {
  return units && precision === "f16" ? `${units.M}x${units.N}x${units.K}` : undefined;
}
