/**
 * Proves matrix units before kernels rely on them: that products are exact, and that a workgroup has as many subgroups as the
 * kernels divide their work by.
 *
 * @module
 */

import { computed } from "./computed.ts";
import { matmul_nt_matrix } from "./kernels.gen.ts";
import type { MatrixUnits } from "./matrix_units.ts";

/** Subgroups that multiply at once, each another pair of matrices. */
const PAIRS = 4;

/** Small whole numbers, whose products are exact. */
const left = (pair: number, m: number, k: number): number => ((pair * 5 + m * 3 + k * 7) % 11) - 5;
const right = (pair: number, k: number, n: number): number => ((pair * 7 + k * 5 + n * 3) % 13) - 6;

/** The words of matrix units stand in one library. */
function library(): string[] {
  return matmul_nt_matrix.libs.find((text) => text.includes("fn multiplyAdd("))!.split("\n");
}

function textOf({ M, N, K, subgroup }: MatrixUnits): string {
  const words = library();
  return [
    ...words.filter((line) => line.startsWith("enable ")),
    "enable f16;",
    ...Object.entries({ SM: M, SN: N, SK: K, SG: subgroup, LDA: M + 8, LDB: N + 8 }).map(
      ([name, value]) => `const ${name}: u32 = ${value}u;`,
    ),
    `var<workgroup> tileA: array<f16, ${PAIRS} * SK * LDA>;`,
    `var<workgroup> tileB: array<f16, ${PAIRS} * SK * LDB>;`,
    `var<workgroup> area: array<f32, ${PAIRS} * SM * SN>;`,
    "@group(0) @binding(0) var<storage, read_write> y: array<f32>;",
    ...words.filter((line) => !line.startsWith("enable ")),
    `@compute @workgroup_size(${PAIRS} * SG) fn main(
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) pair: u32,
) {
  for (var i = lane; i < ${PAIRS}u * SK * LDA; i += ${PAIRS}u * SG) {
    let at = i % (SK * LDA);
    tileA[i] = f16(i32((i / (SK * LDA) * 5u + at % LDA * 3u + at / LDA * 7u) % 11u) - 5);
  }
  for (var i = lane; i < ${PAIRS}u * SK * LDB; i += ${PAIRS}u * SG) {
    let at = i % (SK * LDB);
    tileB[i] = f16(i32((i / (SK * LDB) * 7u + at / LDB * 5u + at % LDB * 3u) % 13u) - 6);
  }
  workgroupBarrier();
  let once = multiplyAdd(leftAt(pair * SK * LDA), rightAt(pair * SK * LDB), Sums());
  storeSums(pair * SM * SN, multiplyAdd(leftAt(pair * SK * LDA), rightAt(pair * SK * LDB), once));
  workgroupBarrier();
  for (var i = lane; i < ${PAIRS}u * SM * SN; i += ${PAIRS}u * SG) { y[i] = area[i]; }
}`,
  ].join("\n");
}

/** Whether the units multiply as the kernels count on. */
export async function provesUnits(device: GPUDevice, units: MatrixUnits): Promise<boolean> {
  const { M, N, K } = units;
  const y = await computed(device, "matrix units", textOf(units), PAIRS * M * N);
  return y !== undefined && y.every((value, i) => {
    const [pair, m, n] = [Math.floor(i / (M * N)), Math.floor(i / N) % M, i % N];
    let sum = 0;
    for (let k = 0; k < K; k++) sum += left(pair, m, k) * right(pair, k, n);
    return value === 2 * sum;
  });
}
