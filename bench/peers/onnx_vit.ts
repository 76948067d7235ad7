/**
 * A whole vision transformer as one ONNX graph, with the runtime's own fused operators.
 *
 * SkipLayerNormalization adds the residual and normalises the sum; MultiHeadAttention needs no transposes; Gelu is the
 * one with erf (FastGelu, with tanh, is another function). Tokens of all images are rows of one matrix, so that every
 * linear layer is one Gemm. Of the variants tried (matrix product and BiasGelu, Attention with packed weights, separate
 * q, k and v) none was faster. As in an exported model, the last block computes all tokens.
 *
 * @module
 */

import { type Graph, type Node, op } from "./onnx.ts";
import type { HostTensor, VitParams, VitSpec } from "./types.ts";

/** Name of the input, `[batch, 3, image, image]`; Transformers.js knows it under this one. */
export const PIXELS = "pixel_values";

/** Place of the model in a folder, where Transformers.js looks for it. */
export const ONNX_FILE = "onnx/model.onnx";

const MICROSOFT = "com.microsoft";

function linear(x: string, layer: string, y: string): Node {
  return op("Gemm", [x, `${layer}.weight`, `${layer}.bias`], y, { transB: 1 });
}

/** `sum = a + b`, `y` its normalisation. */
function skipNorm(a: string, b: string, norm: string, y: string, sum: string, eps: number): Node {
  return {
    op: "SkipLayerNormalization",
    inputs: [a, b, `${norm}.weight`, `${norm}.bias`],
    outputs: [y, "", "", sum],
    attributes: { epsilon: { float: eps } },
    domain: MICROSOFT,
  };
}

/** Patches, class token and positions: `x [batch * tokens, width]`. */
function embedding(patch: number): Node[] {
  const proj = ["patch_embed.proj.weight", "patch_embed.proj.bias"];
  return [
    op("Conv", [PIXELS, ...proj], "conv", { kernel_shape: [patch, patch], strides: [patch, patch] }),
    op("Reshape", ["conv", "columns"], "patches0"),
    op("Transpose", ["patches0"], "patches1", { perm: [0, 2, 1] }),
    op("Concat", ["cls", "patches1"], "tokens0", { axis: 1 }),
    op("Add", ["tokens0", "pos_embed"], "tokens1"),
    op("Reshape", ["tokens1", "rows"], "x"),
  ];
}

/** One block from `h`, the normalised `x`; its outputs are `next.x` and, normalised by `nextNorm`, `next.h`. */
function block(x: string, h: string, name: string, heads: number, eps: number, next: string, nextNorm?: string) {
  const at = (part: string): string => `${name}.${part}`;
  const nodes: Node[] = [
    linear(h, at("attn.qkv"), at("qkv0")),
    op("Reshape", [at("qkv0"), "packed"], at("qkv")),
    { op: "Split", inputs: [at("qkv"), "thirds"], outputs: [at("q"), at("k"), at("v")], attributes: { axis: 2 } },
    op("MultiHeadAttention", [at("q"), at("k"), at("v")], at("o0"), { num_heads: heads }, MICROSOFT),
    op("Reshape", [at("o0"), "rows"], at("o")),
    linear(at("o"), at("attn.proj"), at("p")),
    skipNorm(x, at("p"), at("norm2"), at("h2"), at("r"), eps),
    linear(at("h2"), at("mlp.fc1"), at("u")),
    op("Gelu", [at("u")], at("a"), {}, MICROSOFT),
    linear(at("a"), at("mlp.fc2"), at("m")),
  ];
  const last = nextNorm === undefined
    ? op("Add", [at("r"), at("m")], `${next}.x`)
    : skipNorm(at("r"), at("m"), nextNorm, `${next}.h`, `${next}.x`, eps);
  return [...nodes, last];
}

/** The graph of {@link VitSpec}: input {@link PIXELS}, output `y`. */
export function vitGraph(spec: VitSpec, params: VitParams): Graph {
  const { batch, image, patch, depth, width, heads, eps } = spec;
  const tokens = 1 + (image / patch) ** 2;
  const { cls_token: token, ...weights } = params;
  const cls: HostTensor = { shape: [batch, 1, width], data: new Float32Array(batch * width) };
  for (let i = 0; i < batch; i++) cls.data.set(token!.data, i * width);
  const epsilon = { axis: 1, epsilon: { float: eps } };
  const nodes = [
    ...embedding(patch),
    op("LayerNormalization", ["x", "blocks.0.norm1.weight", "blocks.0.norm1.bias"], "blocks.0.h", epsilon),
  ];
  for (let i = 0; i < depth; i++) {
    const [name, next] = [`blocks.${i}`, `blocks.${i + 1}`];
    const x = i === 0 ? "x" : `${name}.x`;
    nodes.push(...block(x, `${name}.h`, name, heads, eps, next, i + 1 < depth ? `${next}.norm1` : undefined));
  }
  nodes.push(
    op("Reshape", [`blocks.${depth}.x`, "stacked"], "all"),
    op("Gather", ["all", "first"], "first0", { axis: 1 }),
    op("Reshape", ["first0", "out"], "first1"),
    op("LayerNormalization", ["first1", "norm.weight", "norm.bias"], "y", epsilon),
  );
  return {
    nodes,
    inputs: { [PIXELS]: [batch, 3, image, image] },
    outputs: { y: [batch, width] },
    weights: { ...weights, cls },
    integers: {
      columns: [batch, width, tokens - 1],
      rows: [batch * tokens, width],
      packed: [batch, tokens, 3 * width],
      thirds: [width, width, width],
      stacked: [batch, tokens, width],
      first: [0],
      out: [batch, width],
    },
  };
}
