import assert from "node:assert/strict";
import { expand } from "../../src/gpu/expand.ts";
import * as kernels from "../../src/gpu/kernels.gen.ts";
import type { Kernel } from "../../src/gpu/kernel.ts";

/** Text with every tensor, or those that are named, and the largest tile. */
function largest(kernel: Kernel, options: Record<string, string> = {}, without: readonly string[] = []): string {
  const present = kernel.tensors.map(({ name }) => name).filter((name) => !without.includes(name));
  const weights = Object.fromEntries(
    kernel.tensors.filter(({ elem }) => elem === "W").map(({ name }) => [name, "f32" as const]),
  );
  const tune = Object.fromEntries(Object.entries(kernel.tune).map(([name, values]) => [name, Math.max(...values)]));
  return expand(kernel, { T: "f32", weights, present, options, tune: { ...tune, ...(tune.GV && { GV: 1 }) }, vec: 4 });
}

const calls = (text: string, name: string): number => text.match(new RegExp(`(?<!fn )\\b${name}\\(`, "g"))?.length ?? 0;

// On llvmpipe each store is a loop over the lanes: 64 of them and what leads to them take longer to compile than 1024
// multiply-adds. So the end of a kernel stands once for each group of columns, however many rows an invocation has.
Deno.test("products without barriers say once what becomes of a row of sums", () => {
  for (const name of ["matmul_nt_flat", "matmul_nn_flat", "matmul_tn_flat", "patch_embed_flat"] as const) {
    const kernel = kernels[name] as unknown as Kernel;
    const text = largest(kernel, "act" in kernel.options ? { act: "gelu" } : {}, ["part", "bytes", "pre"]);
    assert.equal(calls(text, "put"), Math.max(...kernel.tune["NG"]!), name);
    assert.equal(calls(text, "y_store4"), 1, name);
  }
});

Deno.test("attention without barriers loads and stores by text for one query or key", () => {
  const stores = {
    attention_fwd_flat: ["o", 1],
    attention_bwd_query_flat: ["dq", 1],
    attention_bwd_key_flat: ["dkv", 2],
  };
  for (const [name, [tensor, times]] of Object.entries(stores)) {
    const kernel = kernels[name as keyof typeof stores] as unknown as Kernel;
    const [E4, LR] = ["E4", "LR"].map((key) => Math.max(...kernel.tune[key]!)) as [number, number];
    assert.ok(LR > 1, "an invocation has several");
    const text = largest(kernel, {}, ["part"]);
    assert.equal(calls(text, `${tensor}_store4`), Number(times) * E4, name);
    // Its own rows once, and those that it streams past them once.
    const loads = calls(text, "q_load4") + calls(text, "kv_load4") + calls(text, "dy_load4");
    assert.equal(loads, (name === "attention_fwd_flat" ? 3 : 4) * E4, name);
  }
});
