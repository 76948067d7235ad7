import assert from "node:assert/strict";
import { formatTable, join } from "../../bench/gpu_table.ts";

const ENGINE = [
  { case: "matmul_nt 8x8x8 f32", medianMs: 9 },
  { case: "matmul_nt 8x8x8 f32", medianMs: 4, gflops: 2 },
  { case: "matmul_nt 8x8x8 f16", medianMs: 3, gflops: 5 },
  { case: "gelu 8x8", medianMs: 1 },
].map((row) => JSON.stringify(row)).join("\n") + '\n{"case":"half a li';
const TORCH = [
  { case: "matmul_nt 8x8x8", precision: "f32", medianMs: 2 },
  { case: "matmul_nt 8x8x8", precision: "bf16", medianMs: 0.5 },
].map((row) => JSON.stringify(row)).join("\n");

Deno.test("join() pairs cases by name and precision and lets later lines win", () => {
  assert.deepEqual(join(ENGINE, TORCH), [
    {
      case: "matmul_nt 8x8x8",
      engineMs: { f32: 4, f16: 3 },
      engineGflops: 2,
      torchMs: { f32: 2, bf16: 0.5 },
      ratio: { f32: 2, bf16: 8 },
    },
    { case: "gelu 8x8", engineMs: { f32: 1 }, torchMs: {}, ratio: {} },
  ]);
});

Deno.test("formatTable() prints one line a case and a dash for what is missing", () => {
  const lines = formatTable(join(ENGINE, TORCH)).split("\n");
  assert.equal(lines.length, 3);
  assert.match(lines[1]!, /^matmul_nt 8x8x8 +4\.000 +2 +2\.000 +- +0\.5000 +2\.00x +- +8\.00x$/);
  assert.match(lines[2]!, /^gelu 8x8 +1\.000( +-){7}$/);
});
