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

/** Products by the words of the library for products, and the same by those for attention, each twice. */
export function probeText({ M, N, K, subgroup }: MatrixUnits): string {
  const words = library();
  const sizes = { SM: M, SN: N, SK: K, SG: subgroup, LDA: M + 8, LDB: N + 8, LD: Math.max(N, K) + 8, BK: 32 };
  const array = (name: string, type: string, size: string) =>
    `var<workgroup> ${name}: array<${type}, ${PAIRS}u * ${size}>;`;
  const fill = (name: string, size: string, value: string) =>
    `for (var i = lane; i < ${PAIRS}u * ${size}; i += ${PAIRS}u * SG) { ${name}[i] = ${value}; }`;
  const at = (size: string, width: string) => `i / (${size}), i % (${size}) / ${width}, i % ${width}`;
  return [
    ...words.filter((line) => line.startsWith("enable ")),
    "enable f16;",
    ...Object.entries(sizes).map(([name, value]) => `const ${name}: u32 = ${value}u;`),
    array("tileA", "f16", "SK * LDA"),
    array("tileB", "f16", "SK * LDB"),
    array("area", "f32", "SM * SN"),
    array("weights", "f16", "SM * BK"),
    // Keys, SN of them, then values, SK of them.
    array("tile", "f16", "(SN + SK) * LD"),
    array("rows", "f32", "SM * BK"),
    "@group(0) @binding(0) var<storage, read_write> y: array<f32>;",
    ...words.filter((line) => !line.startsWith("enable ")),
    `fn left(pair: u32, m: u32, k: u32) -> f16 { return f16(i32((pair * 5u + m * 3u + k * 7u) % 11u) - 5); }
fn right(pair: u32, k: u32, n: u32) -> f16 { return f16(i32((pair * 7u + k * 5u + n * 3u) % 13u) - 6); }
fn leftBy(pair: u32, k: u32, m: u32) -> f16 { return left(pair, m, k); }
fn rightBy(pair: u32, line: u32, c: u32) -> f16 {
  if (line < SN) { return right(pair, c, line); }
  return right(pair, line - SN, c);
}
@compute @workgroup_size(${PAIRS} * SG) fn main(
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) pair: u32,
) {
  ${fill("tileA", "SK * LDA", `leftBy(${at("SK * LDA", "LDA")})`)}
  ${fill("tileB", "SK * LDB", `right(${at("SK * LDB", "LDB")})`)}
  ${fill("weights", "SM * BK", `left(${at("SM * BK", "BK")})`)}
  ${fill("tile", "(SN + SK) * LD", `rightBy(${at("(SN + SK) * LD", "LD")})`)}
  workgroupBarrier();
  let once = multiplyAdd(leftAt(pair * SK * LDA), rightAt(pair * SK * LDB), Sums());
  storeSums(pair * SM * SN, multiplyAdd(leftAt(pair * SK * LDA), rightAt(pair * SK * LDB), once));
  let keys = multiplyAdd(weightsAt(pair * SM * BK), keysAt(pair * (SN + SK) * LD), Sums());
  let values = valuesAt(pair * (SN + SK) * LD + SN * LD);
  storeRows(pair * SM * BK, multiplyAdd(weightsAt(pair * SM * BK), values, keys));
  workgroupBarrier();
  for (var i = lane; i < ${PAIRS}u * SM * SN; i += ${PAIRS}u * SG) {
    y[i] = area[i];
    y[i + ${PAIRS}u * SM * SN] = rows[i / SN * BK + i % SN];
  }
}`,
  ].join("\n");
}

/** Whether the units multiply as the kernels count on. */
export async function provesUnits(device: GPUDevice, units: MatrixUnits): Promise<boolean> {
  const { M, N, K } = units;
  const y = await computed(device, "matrix units", probeText(units), 2 * PAIRS * M * N);
  return y !== undefined && y.every((value, i) => {
    const [pair, m, n] = [Math.floor(i / (M * N)) % PAIRS, Math.floor(i / N) % M, i % N];
    let sum = 0;
    for (let k = 0; k < K; k++) sum += left(pair, m, k) * right(pair, k, n);
    return value === 2 * sum;
  });
}
