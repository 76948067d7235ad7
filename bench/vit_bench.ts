/**
 * The pieces of a vision transformer at real sizes, under the names that `tests/python/torch_bench.py` uses, so that
 * `bench/gpu.sh` can put both beside each other. Software adapters run the small ones only.
 */

import { backward } from "../src/autodiff/backward.ts";
import { Rng } from "../src/core/rng.ts";
import type { Gpu } from "../src/gpu/device.ts";
import { Plan } from "../src/graph/plan.ts";
import { Store } from "../src/graph/store.ts";
import type { Tensor } from "../src/graph/tensor.ts";
import { applyBlock, createBlock } from "../src/nn/block.ts";
import { Parameters } from "../src/nn/parameters.ts";
import { attentionCost, selfAttention } from "../src/ops/attention.ts";
import { layernorm, layernormCost } from "../src/ops/layernorm.ts";
import { linear, linearCost } from "../src/ops/linear.ts";
import { type BenchCase, benchSubject } from "./harness.ts";

type Append = (g: Plan, make: (name: string, shape: readonly number[]) => Tensor) => readonly Tensor[];

/** Opens a program over seeded normal inputs. */
async function open(gpu: Gpu, append: Append) {
  const store = new Store(gpu);
  const rng = new Rng(1);
  const g = new Plan(gpu);
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  const make = (name: string, shape: readonly number[]) =>
    store.from("input", name, shape, rng.normals(size(shape), 0.1));
  g.output(...append(g, make));
  const program = await g.compile();
  return { program, close: () => store.destroy() };
}

function gemm(M: number, N: number, K: number): BenchCase {
  return {
    name: `matmul_nt ${M}x${N}x${K}`,
    group: "matmul_nt",
    cost: linearCost(M, N, K),
    open: (gpu) => open(gpu, (g, make) => [linear(g, make("x", [M, K]), { weight: make("w", [N, K]) })]),
  };
}

function norm(M: number, D: number): BenchCase {
  return {
    name: `layernorm ${M}x${D}`,
    group: "layernorm",
    cost: layernormCost([M, D]),
    open: (gpu) => open(gpu, (g, make) => [layernorm(g, make("x", [M, D]), make("gamma", [D]), make("beta", [D]))]),
  };
}

function attention(B: number, H: number, N: number, E: number, withBackward: boolean): BenchCase {
  const cost = attentionCost(B, N, N, H, E);
  return {
    name: `attention${withBackward ? "_fwd_bwd" : ""} ${B}x${H}x${N}x${E}`,
    group: "attention",
    cost: withBackward ? { flops: cost.flops * 3.5, bytes: cost.bytes } : cost,
    open: (gpu) =>
      open(gpu, (g, make) => {
        const qkv = make("qkv", [B, N, 3 * H * E]);
        qkv.requiresGrad = withBackward;
        const y = selfAttention(g, qkv, { heads: H });
        if (!withBackward) return [y];
        return [y, backward(g, [{ tensor: y, grad: make("dy", y.shape) }]).of(qkv)!];
      }),
  };
}

function block(B: number, N: number, D: number): BenchCase {
  const heads = D / 64;
  const forward = 24 * B * N * D * D + 4 * B * N * N * D;
  return {
    name: `vit_block_fwd_bwd ${B}x${N}x${D}`,
    group: "vit_block",
    cost: { flops: 3 * forward, bytes: 0 },
    open: async (gpu) => {
      const parameters = new Parameters(gpu);
      const config = { width: D, hidden: 4 * D, mlp: "gelu", heads } as const;
      const layers = createBlock(parameters, "block", config, { rng: new Rng(2) });
      parameters.allocate();
      const { program, close } = await open(gpu, (g, make) => {
        const x = make("x", [B, N, D]);
        x.requiresGrad = true;
        const y = applyBlock(g, layers, x, config);
        return [backward(g, [{ tensor: y, grad: make("dy", y.shape) }]).of(x)!];
      });
      return { program, close: () => (close(), parameters.destroy()) };
    },
  };
}

const small = [
  gemm(512, 512, 512),
  gemm(1024, 1024, 1024),
  gemm(197, 768, 3072),
  norm(1576, 768),
  attention(1, 12, 197, 64, false),
];
/** Products and attention of ViT-S, B, L and H at batch 32: width, tokens, heads, head width. */
const shapes = ([[384, 197, 6, 64], [768, 197, 12, 64], [1024, 197, 16, 64], [1280, 257, 16, 80]] as const).flatMap(
  ([D, N, H, E]) => [
    gemm(32 * N, 3 * D, D),
    gemm(32 * N, D, D),
    gemm(32 * N, 4 * D, D),
    gemm(32 * N, D, 4 * D),
    attention(32, H, N, E, false),
    attention(32, H, N, E, true),
  ],
);
const large = [
  ...shapes,
  gemm(4096, 4096, 4096),
  gemm(12608, 768, 3072),
  norm(12608, 768),
  attention(8, 12, 197, 64, false),
  attention(8, 12, 197, 64, true),
  block(8, 197, 768),
  block(32, 197, 768),
];

await benchSubject("vit", (gpu) => (gpu.caps.software ? small : [...small, ...large]));
