/** What is free on a device is asked for by taking it, and given back whole. */

import assert from "node:assert/strict";
import { type Caps, Gpu } from "../../src/gpu/device.ts";

const GIB = 2 ** 30;

/** A device of so many bytes that answers in the ways implementations do. */
function stub(free: number, refuses: "scope" | "throws", maxBufferSize: number) {
  const held = { bytes: 0, most: 0, scopes: 0 };
  let error: { message: string } | null = null;
  const device = {
    addEventListener() {},
    lost: new Promise(() => {}),
    queue: { onSubmittedWorkDone: () => Promise.resolve() },
    pushErrorScope(filter: string) {
      assert.equal(filter, "out-of-memory");
      held.scopes++;
      error = null;
    },
    popErrorScope() {
      held.scopes--;
      return Promise.resolve(error);
    },
    createBuffer({ size }: { size: number }) {
      assert.ok(size <= maxBufferSize && size % 4 === 0);
      const fits = held.bytes + size <= free;
      if (!fits && refuses === "throws") throw new TypeError("not enough memory left");
      if (!fits) error = { message: "not enough memory left" };
      else held.bytes += size;
      held.most = Math.max(held.most, held.bytes);
      return { destroy: () => held.bytes -= fits ? size : 0 };
    },
  };
  const caps = { limits: { maxBufferSize } } as unknown as Caps;
  return { gpu: new Gpu(device as unknown as GPUDevice, caps, "stub"), held };
}

for (const refuses of ["scope", "throws"] as const) {
  for (const maxBufferSize of [2 ** 28, 2 ** 31 - 1, 2 ** 32]) {
    Deno.test(`memory that is free is found, and given back (${refuses}, buffers of ${maxBufferSize} bytes)`, async () => {
      const { gpu, held } = stub(24 * GIB, refuses, maxBufferSize);
      for (const [bytes, free] of [[1, true], [20 * GIB, true], [22 * GIB, false], [100 * GIB, false]] as const) {
        assert.equal(await gpu.hasMemory(bytes), free, String(bytes));
        assert.equal(held.bytes, 0);
        assert.equal(held.scopes, 0);
      }
      // An eighth and 256 MiB are left for what else is allocated.
      assert.equal(await gpu.hasMemory(21 * GIB), true);
      assert.ok(held.most >= 21 * GIB * 1.125 + 2 ** 28);
    });
  }
}

Deno.test("memory is no more than the largest buffer where that is a share of it", async () => {
  const { gpu, held } = stub(Infinity, "scope", 18 * GIB);
  assert.equal(await gpu.hasMemory(15 * GIB), true);
  held.most = 0;
  assert.equal(await gpu.hasMemory(16 * GIB), false);
  assert.equal(held.most, 0);
});
