/** Texts for matrix units that no software adapter has: given to the compiler of WGSL, which reads them as those of an adapter's own. */

import { expand, type Variant } from "../../src/gpu/expand.ts";
import * as k from "../../src/gpu/kernels.gen.ts";
import type { Kernel } from "../../src/gpu/kernel.ts";
import type { MatrixUnits } from "../../src/gpu/matrix_units.ts";
import { probeText } from "../../src/gpu/matrix_probe.ts";
import { matrixTune as attentionTune, suitsMatrix } from "../../src/ops/attention_matrix.ts";
import { matrixTune as matmulTune } from "../../src/ops/matmul_matrix.ts";

/** Those of graphics cards of NVIDIA and AMD, of Intel, of Apple. */
const OTHERS: readonly MatrixUnits[] = [
  { M: 16, N: 16, K: 16, subgroup: 32 },
  { M: 16, N: 16, K: 16, subgroup: 64 },
  { M: 8, N: 16, K: 16, subgroup: 16 },
  { M: 8, N: 16, K: 16, subgroup: 32 },
  { M: 8, N: 8, K: 8, subgroup: 32 },
];

const ATTENTION = {
  forward: k.attention_fwd_matrix,
  query: k.attention_bwd_query_matrix,
  key: k.attention_bwd_key_matrix,
} as const;

/** A text, and what it is of. */
interface Text {
  readonly name: string;
  readonly code: string;
}

function textOf(kernel: unknown, of: string, variant: Pick<Variant, "weights" | "tune"> & Partial<Variant>): Text {
  const { name, tensors } = kernel as Kernel;
  const present = tensors.map((tensor) => tensor.name).filter((tensor) => tensor !== "part");
  const code = expand(kernel as Kernel, { T: "f16", present, options: {}, vec: 4, ...variant });
  return { name: `${name} ${of}`, code };
}

/** Texts of all kernels for one kind of units, with everything that they can hold. */
function textsOf(units: MatrixUnits): Text[] {
  const texts = [{ name: "the probe", code: probeText(units) }];
  for (const edge of [32, 64, 128]) {
    for (const kernel of [k.matmul_nt_matrix, k.matmul_nn_matrix, k.matmul_tn_matrix]) {
      const options = kernel === k.matmul_nt_matrix ? { act: "gelu" } : {};
      texts.push(
        textOf(kernel, `tile ${edge}`, { weights: { b: "f16" }, options, tune: matmulTune(units, edge, false) }),
      );
    }
    if (edge === 32) continue;
    const pair = { weights: { b: "f16" }, options: { act: "swiglu" }, tune: matmulTune(units, edge, true) } as const;
    texts.push(textOf(k.matmul_nt_matrix, `tile ${edge} swiglu`, pair));
  }
  for (const E of [16, 24, 64, 72, 80, 96, 128]) {
    if (!suitsMatrix(units, "f16", { E, Nq: 64, Nk: 64 })) continue;
    for (const [part, kernel] of Object.entries(ATTENTION)) {
      const tune = attentionTune(units, part as keyof typeof ATTENTION, E);
      texts.push(textOf(kernel, `heads of ${E}`, { weights: {}, tune }));
    }
  }
  return texts;
}

/** Has a device's compiler read all texts. @returns By units: how many there are, and what it says against them. */
export async function readTexts(device: GPUDevice): Promise<{ units: string; count: number; complaints: string[] }[]> {
  const found = [];
  for (const units of OTHERS) {
    const texts = textsOf(units);
    const complaints: string[] = [];
    for (const { name, code } of texts) {
      device.pushErrorScope("validation");
      const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
      const error = await device.popErrorScope();
      const said = messages.filter(({ type }) => type === "error").map(({ lineNum, message }) =>
        `${lineNum}: ${message}`
      );
      if (error !== null && said.length === 0) said.push(error.message.split("\n")[0]!);
      complaints.push(...said.map((text) => `${name}: ${text}`));
    }
    const { M, N, K, subgroup } = units;
    found.push({ units: `${M}x${N}x${K} of subgroups of ${subgroup}`, count: texts.length, complaints });
  }
  return found;
}
